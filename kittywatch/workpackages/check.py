"""What is wrong with a feature's work packages, before they are committed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kittywatch.workpackages.event_log import LogReader
from kittywatch.workpackages.features import dependencies_of, first_of_each, read_dependencies
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package

_KEY = re.compile(rb"^([A-Za-z_][A-Za-z0-9_-]*):", re.MULTILINE)
_END = re.compile(rb"^---+[ \t]*\r?$", re.MULTILINE)


def check_feature(
    files: Mapping[str, bytes], tasks: bytes | None, names: LaneNames, log: tuple[str, bytes] | None = None
) -> list[Problem]:
    """Every finding in one feature, by path and line.

    `files` are its work packages, `tasks` is its tasks.md, `log` the path and the content of its event log.
    """
    read = {path: read_work_package(path, data, names) for path, data in files.items()}
    packages, findings = first_of_each(read.items())
    if log is not None:
        said = LogReader().read(log[1])
        silenced = [packages[wp_id].problem for wp_id in said.lanes.keys() & packages.keys()]
        findings = [one for one in findings if one not in silenced]  # the log says where it is (rule E12)
        findings += [Problem(log[0], fault.line, fault.reason) for fault in said.faults]
    for path, data in files.items():
        findings += _twice(path, data)
    lines = {package.wp_id: _line(files[package.path], b"dependencies") for package in packages.values()}
    stated = read_dependencies(tasks)
    needs = {wp_id: dependencies_of(package, stated) for wp_id, package in packages.items()}
    for wp_id, package in packages.items():
        findings += [
            Problem(package.path, lines[wp_id], f"{wp_id} depends on {missing}, which is not in this feature")
            for missing in needs[wp_id]
            if missing not in packages
        ]
    findings += _cycles(packages, needs, lines)
    return sorted(findings, key=lambda finding: (finding.path, finding.line))


def _twice(path: str, data: bytes) -> list[Problem]:
    """Fields that stand in the frontmatter twice: the last one counts, and nobody means that."""
    fences = list(_END.finditer(data))[:2]
    if len(fences) < 2:
        return []
    seen: set[bytes] = set()
    findings = []
    for key in _KEY.finditer(data, fences[0].end(), fences[1].start()):
        if key[1] in seen:
            line = data.count(b"\n", 0, key.start()) + 1
            findings.append(Problem(path, line, f"the field {key[1].decode()} is there twice"))
        seen.add(key[1])
    return findings


def _cycles(
    packages: Mapping[str, WorkPackage], needs: Mapping[str, Iterable[str]], lines: Mapping[str, int]
) -> list[Problem]:
    """Work packages that wait for themselves, each circle once, at its first id."""
    findings: list[Problem] = []
    done: set[str] = set()
    for start in sorted(packages):
        trail: list[str] = []
        stack = [(start, iter(sorted(needs[start])))] if start not in done else []
        trail += [start] if stack else []
        while stack:
            wp_id, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                trail.pop()
                done.add(wp_id)
            elif following in trail:
                circle = [*trail[trail.index(following) :], following]
                reason = f"dependencies go in a circle: {' → '.join(circle)}"
                findings.append(Problem(packages[following].path, lines[following], reason))
            elif following in packages and following not in done:
                trail.append(following)
                stack.append((following, iter(sorted(needs[following]))))
    return findings


def _line(data: bytes, key: bytes) -> int:
    found = re.search(rb"^" + re.escape(key) + rb":", data, re.MULTILINE)
    return data.count(b"\n", 0, found.start()) + 1 if found else 1
