"""The table of all checks, and running them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kittywatch.doctor import (
    clock,
    database,
    files,
    hooks,
    identity,
    ledger,
    missions,
    programs,
    queue,
    server,
    sources,
    twice,
    watching,
)
from kittywatch.doctor.finding import Check, Examination, Finding
from kittywatch.errors import KittywatchError

_DATABASE = frozenset({"database"})
CHECKS = (
    Check("files", files.check, needs_project=False),
    Check("database", database.check, needs_project=False),
    Check("clock", clock.check, needs_project=False, unless=_DATABASE),
    Check("programs", programs.check, needs_project=False),
    Check("settings", server.check_settings, needs_project=False),
    Check("queue", queue.check, needs_project=False, unless=_DATABASE),
    Check("delivery", queue.check_delivery, needs_project=False, unless=_DATABASE),
    Check("proxy", server.check_proxy, needs_project=False, unless=frozenset({"files"})),
    Check("server", server.check, needs_project=False, unless=frozenset({"files", "proxy"})),
    Check("identity", identity.check),
    Check("hooks", hooks.check),
    Check("watcher", watching.check),
    Check("missions", missions.check),
    Check("sources", sources.check),
    Check("identity", identity.check_unique, unless=_DATABASE),
    Check("ledger", ledger.check, unless=_DATABASE),
    Check("aliases", twice.check, unless=_DATABASE | {"files", "proxy", "server", "identity"}),
)


@dataclass(frozen=True)
class Diagnosis:
    """One finding of a topic; `fixed` describes the repair, None without one."""

    topic: str
    finding: Finding
    fixed: str | None = None


def examine(examination: Examination, *, fix: bool = False) -> Iterator[Diagnosis]:
    """Yield every finding. With `fix`, repair what is safe to; what a second look still finds is not fixed."""
    faulty: set[str] = set()
    for check in CHECKS:
        if (check.needs_project and examination.found is None) or check.unless & faulty:
            continue
        for one in _examine(check, examination, fix=fix):
            if one.fixed is None:
                faulty.add(one.topic)
            yield one


def _examine(check: Check, examination: Examination, *, fix: bool) -> Iterator[Diagnosis]:
    found = _findings(check, examination)
    if not fix or not any(finding.fix for finding in found):
        yield from (Diagnosis(check.topic, finding) for finding in found)
        return
    done = {finding.what: _fixed(finding) for finding in found}
    left = {finding.what: finding for finding in _findings(check, examination)}
    for finding in found:
        if finding.what not in left:
            yield Diagnosis(check.topic, finding, done[finding.what] or "mended together with the others")
    yield from (Diagnosis(check.topic, finding) for finding in left.values())


def _findings(check: Check, examination: Examination) -> list[Finding]:
    """Findings of one check; a check that fails to look is a finding as well."""
    found: list[Finding] = []
    try:
        found.extend(check.run(examination))
    except KittywatchError as error:
        found.append(Finding(str(error), error.remedy))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        found.append(Finding(f"{where}{error.strerror or type(error).__name__}", "make it readable for this user"))
    return found


def _fixed(finding: Finding) -> str | None:
    if finding.fix is None:
        return None
    try:
        return finding.fix()
    except (KittywatchError, OSError):
        return None  # the second look finds it again
