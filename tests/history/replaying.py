"""Replays and observations of real repositories, for the tests of histories."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kittywatch.events import Event, to_json
from kittywatch.observe.replay import Replay, Scope, Summary
from kittywatch.project import Project


@contextmanager
def opened(root: Path, home: Path, warnings: list[str] | None = None, *, writes: bool = True) -> Iterator[Project]:
    """The project at `root` with the files of kittywatch under `home`."""
    before = os.environ["SPEC_KITTY_HOME"]
    os.environ["SPEC_KITTY_HOME"] = str(home)
    try:
        project = Project.find(root, (warnings if warnings is not None else []).append, writes=writes)
    finally:
        os.environ["SPEC_KITTY_HOME"] = before
    try:
        yield project
    finally:
        project.store.close()


def replay(
    root: Path,
    home: Path,
    *,
    revision: str = "HEAD",
    scope: Scope | None = None,
    dry_run: bool = False,
    summary: list[Summary] | None = None,
    warnings: list[str] | None = None,
) -> list[Event]:
    """What one replay tells."""
    with opened(root, home, warnings, writes=not dry_run) as project:
        run = Replay(project.git, project.names, project.emitter, scope=scope)
        events = [event for batch in run.run(revision, dry_run=dry_run) for event in batch]
        if summary is not None:
            summary.append(run.summary)
        return events


def brief(event: Event) -> dict[str, Any]:
    """An event in the words of expected.jsonl."""
    fields = json.loads(to_json(event))
    payload = fields["payload"]
    what: dict[str, Any] = {"type": fields["event_type"], "feature": payload["feature_slug"]}
    if "wp_id" in payload:
        what["wp"] = payload["wp_id"]
    what["at"] = fields["timestamp"]
    match fields["event_type"]:
        case "FeatureCreated":
            assert payload["created_at"] == fields["timestamp"]
            what |= {"number": payload["feature_number"], "branch": payload["target_branch"]}
            what["work_packages"] = payload["wp_count"]
        case "WPCreated":
            what |= {"title": payload["title"], "dependencies": payload["dependencies"]}
        case "WPStatusChanged":
            what |= {"from": payload["previous_status"], "to": payload["new_status"], "by": payload["changed_by"]}
        case "WPAssigned":
            what |= {"agent": payload["agent_id"], "phase": payload["phase"], "before": payload["retry_count"]}
        case "HistoryAdded":
            what |= {"kind": payload["entry_type"], "says": payload["entry_content"], "by": payload["author"]}
        case "DependencyResolved":
            what |= {"of": payload["dependency_wp_id"], "how": payload["resolution_type"]}
        case "FeatureCompleted":
            assert payload["completed_at"] == fields["timestamp"]
            what |= {"work_packages": payload["total_wps"], "took": payload["total_duration"]}
        case "ErrorLogged":
            assert payload["error_type"] == "validation"
            what["where"] = payload["error_message"].split(": ")[0]
    return what


def briefs(events: Iterable[Event]) -> list[dict[str, Any]]:
    return [brief(event) for event in events]


def lanes(events: Iterable[Event]) -> list[str]:
    """Creations and steps in short: `WP01 created`, `WP01 planned→doing`."""
    words = []
    for one in briefs(events):
        if one["type"] == "WPCreated":
            words.append(f"{one['wp']} created")
        elif one["type"] == "WPStatusChanged":
            words.append(f"{one['wp']} {one['from']}→{one['to']}")
    return words


def ids(events: Iterable[Event]) -> list[str]:
    return [event.event_id for event in events]


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file and directory below, with what is in it and when it was written."""
    found: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink() or not path.is_file():
            found[name] = str(path.lstat().st_mtime_ns)
        else:
            found[name] = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.lstat().st_mtime_ns}"
    return found
