"""What a feature's own files say: `meta.json`, `tasks.md`, and which of its files count (rule R6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.layout import as_bytes
from kittywatch.workpackages.reader import Problem, WorkPackage, distinct
from kittywatch.workpackages.text import MAX_BYTES

_NUMBER = pattern(r"([0-9]{3})-")
_SECTION = pattern(r"^#{2,4} .*?\b(WP[0-9]{2,3})\b(.*)$", re.MULTILINE)
_HEADING = pattern(r"^#{1,6} ", re.MULTILINE)
_DEPENDENCY_HEADING = pattern(r"^#{2,6} +Dependenc(?:y|ies)\b.*$", re.MULTILINE | re.IGNORECASE)
_DEPENDENCY_LINE = pattern(r"^.*?\b(?:depends on|dependencies\*{0,2}:)(.*)$", re.MULTILINE | re.IGNORECASE)
_IDS = pattern(r"\bWP[0-9]{2,3}\b")


class Meta(Struct, frozen=True):
    """What `meta.json` says; None where it says nothing usable.

    `coordination` is the branch on which the mission's log is kept (rule E11).
    """

    number: str | None = None
    target_branch: str | None = None
    created_at: str | None = None
    coordination: str | None = None


def read_meta(data: bytes | None, feature: str) -> Meta:
    """Read `meta.json`; unreadable content is as good as none, and the directory's name then gives the number."""
    fields: object = None
    if data is not None and len(data) <= MAX_BYTES:
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError):
            fields = None
    if not isinstance(fields, dict):
        fields = {}
    number = fields.get("feature_number")
    if not (isinstance(number, str) and re.fullmatch(r"[0-9]{3}", number)):
        named = _NUMBER.match(feature)
        number = named[1] if named else None
    return Meta(
        number,
        _name(fields.get("target_branch")),
        _moment(fields.get("created_at")),
        _name(fields.get("coordination_branch")),
    )


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return value if moment.tzinfo is not None else None


def read_dependencies(data: bytes | None) -> dict[str, tuple[str, ...]]:
    """The dependencies that `tasks.md` states, by work package: `Depends on WP01`, or a Dependencies heading."""
    if data is None or len(data) > MAX_BYTES:
        return {}
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    sections = list(_SECTION.finditer(text))
    found: dict[str, tuple[str, ...]] = {}
    for section, following in zip(sections, [*sections[1:], None], strict=False):
        body = text[section.end() : following.start() if following else len(text)]
        wp_id = section[1]
        ids = [dependency for dependency in _stated(body) if dependency != wp_id]
        if ids and wp_id not in found:
            found[wp_id] = distinct(ids)
    return found


def _stated(body: str) -> list[str]:
    ids = [wp_id for line in _DEPENDENCY_LINE.finditer(body) for wp_id in _IDS.findall(line[1])]
    for heading in _DEPENDENCY_HEADING.finditer(body):
        end = _HEADING.search(body, heading.end())
        ids += _IDS.findall(body[heading.end() : end.start() if end else len(body)])
    return ids


def first_of_each(
    files: Iterable[tuple[str, WorkPackage | Problem]],
) -> tuple[dict[str, WorkPackage], list[Problem]]:
    """One feature's work packages by id, of its files by path: the first path in byte order counts (rule R6)."""
    found: dict[str, WorkPackage] = {}
    problems: list[Problem] = []
    for path, file in sorted(files, key=lambda entry: as_bytes(entry[0])):
        if isinstance(file, Problem):
            problems.append(file)
        elif file.wp_id in found:
            first = found[file.wp_id].path
            problems.append(Problem(path, 1, f"{file.wp_id} is already the id of {first}, which counts"))
        else:
            found[file.wp_id] = file
            if file.problem is not None:
                problems.append(file.problem)
    return found, problems


def dependencies_of(package: WorkPackage, from_tasks: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a work package depends on: its own frontmatter says, else the feature's `tasks.md`."""
    stated = package.dependencies if package.dependencies is not None else from_tasks.get(package.wp_id, ())
    return tuple(wp_id for wp_id in stated if wp_id != package.wp_id)
