"""All eight event types, derived by hooks, a watcher and both, on real git; a replay afterwards adds none."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kittywatch.events.schema import json_schema
from tests.scenarios.world import World
from tests.waiting import until

SLUG = "002-export"


def save(world: World, wp_id: str, lane: str, *, agent: str = "", needs: str = "[]", notes: str = "") -> None:
    """Save a work package of the feature; `notes` are lines of its trail, after an optional section of feedback."""
    path = world.path(wp_id, SLUG)
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = f'work_package_id: {wp_id}\ntitle: {wp_id}\nlane: {lane}\nagent: "{agent}"\ndependencies: {needs}\n'
    whole = path.with_suffix(".new")  # never half of it, however busy the machine is
    whole.write_text(f"---\n{fields}---\n\n# {wp_id}\n\n{notes}", "utf-8")
    whole.replace(path)


def told(world: World) -> list[str]:
    """What was told of the feature, in short."""
    words = []
    for event in world.events(None):
        payload = event["payload"]
        if payload.get("feature_slug") == SLUG:
            words.append(_short(event["event_type"], payload))
    return words


def _short(kind: str, payload: dict[str, Any]) -> str:
    match kind:
        case "WPStatusChanged":
            return f"{payload['wp_id']} {payload['previous_status']}>{payload['new_status']}"
        case "WPAssigned":
            return f"{payload['wp_id']} {payload['phase']} {payload['agent_id']} {payload['retry_count']}"
        case "HistoryAdded":
            return f"{payload['wp_id']} {payload['entry_type']} {payload['author']}: {payload['entry_content']}"
        case "DependencyResolved":
            return f"{payload['wp_id']} {payload['resolution_type']} {payload['dependency_wp_id']}"
        case "FeatureCompleted":
            return f"completed {payload['total_wps']}"
        case _:
            return kind


def expect(world: World, *words: str) -> None:
    """Wait until just these were told of the feature, after what was expected before."""
    want = [*world.expected, *words]  # type: ignore[attr-defined]
    until(lambda: told(world) == want, what=lambda: f"{world.mode}: {want}, told: {told(world)}")
    world.expected = want  # type: ignore[attr-defined]


@pytest.fixture
def begun(world: World) -> World:
    """A feature of two work packages, the second of which waits for the first."""
    world.expected = []  # type: ignore[attr-defined]
    save(world, "WP01", "planned")
    save(world, "WP02", "planned", needs="[WP01]")
    world.commit()
    until(lambda: len(told(world)) == 3, what=lambda: f"the feature: {told(world)}")
    world.expected = told(world)  # type: ignore[attr-defined]
    assert sorted(world.expected) == ["FeatureCreated", "WPCreated", "WPCreated"]  # type: ignore[attr-defined]
    return world


def finish(world: World) -> None:
    """Nothing comes after, a replay adds nothing, all is as the contract has it."""
    world.settle()
    before = [event["event_id"] for event in world.events(None)]
    world.run("emit", "scan")
    world.run("emit", "replay")
    known = {event["event_id"] for event in world.events(None) if event["payload"].get("feature_slug") == SLUG}
    assert known <= set(before)
    validator = Draft202012Validator(json_schema("1.0.0"))
    for event in world.events(None):
        validator.validate(event)
    ids = {event["event_id"]: event for event in world.events(None)}
    for event in ids.values():
        if event["event_type"] in ("DependencyResolved", "FeatureCompleted"):
            cause = ids[event["causation_id"]]
            assert cause["payload"]["new_status"] == "done"
            assert cause["correlation_id"] == event["correlation_id"]
            assert cause["lamport_clock"] < event["lamport_clock"]


def test_a_life(begun: World) -> None:
    """From the first agent to the completed feature, each event once, in its order."""
    world = begun
    start = "- 2026-01-01T10:00:00Z – ada – lane=doing – Started\n"
    half = "- 2026-01-01T11:00:00Z – ada – lane=doing – Half of it\n"
    ready = "- 2026-01-01T12:00:00Z – ada – lane=for_review – Ready\n"
    back = "- 2026-01-01T13:00:00Z – rita – lane=planned – Changes wanted\n"
    save(world, "WP01", "doing", agent="ada", notes=start)
    world.commit()
    expect(world, "WP01 planned>doing", "WP01 implementation ada 0")
    save(world, "WP01", "doing", agent="ada", notes=start + half)
    world.commit()
    expect(world, "WP01 note ada: Half of it")
    save(world, "WP01", "for_review", agent="ada", notes=start + half + ready)
    world.commit()
    expect(world, "WP01 doing>for_review")
    feedback = "## Review Feedback\n\nNames are missing.\n\n## Log\n\n"
    save(world, "WP01", "planned", agent="ada", notes=feedback + start + half + ready + back)
    world.commit()
    expect(world, "WP01 review rita 0", "WP01 for_review>planned", "WP01 review ada: Names are missing.")
    save(world, "WP01", "doing", agent="bob", notes=feedback + start + half + ready + back)
    world.commit()
    expect(world, "WP01 planned>doing", "WP01 implementation bob 1")
    save(world, "WP01", "done", agent="bob", notes=feedback + start + half + ready + back)
    world.commit()
    expect(world, "WP01 doing>done", "WP02 completed WP01")
    save(world, "WP02", "done", needs="[WP01]")
    world.commit()
    expect(world, "WP02 planned>done", "completed 2")
    save(world, "WP02", "doing", needs="[WP01]")
    world.commit()
    expect(world, "WP02 done>doing")
    save(world, "WP02", "done", needs="[WP01]")
    world.commit()
    expect(world, "WP02 doing>done", "completed 2")
    finish(world)


def test_two_branches_finish_a_feature(begun: World) -> None:
    """The last one told completes it, on whichever branch; the merges tell nothing."""
    world = begun
    world.git("checkout", "-q", "-b", "one")
    save(world, "WP01", "done")
    world.commit()
    expect(world, "WP01 planned>done", "WP02 completed WP01")
    world.settle()
    world.git("checkout", "-q", "-b", "two", "main")
    world.settle()
    save(world, "WP02", "done", needs="[WP01]")
    world.commit()
    expect(world, "WP02 planned>done", "completed 2")
    world.settle()
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--no-ff", "one", "two")
    finish(world)
    assert told(world) == world.expected  # type: ignore[attr-defined]


def test_notes_and_agents_over_branches(begun: World) -> None:
    """Amended, rebased, picked, merged: each note and each agent once."""
    world = begun
    first = "- 2026-01-01T10:00:00Z – ada – lane=doing – Started\n"
    second = "- 2026-01-01T11:00:00Z – ada – lane=doing – Half of it\n"
    world.git("checkout", "-q", "-b", "work")
    save(world, "WP01", "doing", agent="ada", notes=first + second)
    world.commit()
    expect(world, "WP01 planned>doing", "WP01 note ada: Half of it", "WP01 implementation ada 0")
    world.git("commit", "-q", "--amend", "-m", "another message")
    third = "- 2026-01-01T12:00:00Z – ada – lane=doing – Nearly\n"
    save(world, "WP01", "doing", agent="ada", notes=first + second + third)
    world.git("commit", "-q", "-a", "--amend", "-m", "with more")
    expect(world, "WP01 note ada: Nearly")
    world.settle()
    world.git("checkout", "-q", "main")
    world.settle()
    (world.root / "README.md").write_text("moved on\n")
    world.commit()
    world.git("checkout", "-q", "work")
    world.settle()
    world.git("rebase", "-q", "main")
    world.settle()
    world.git("checkout", "-q", "-b", "picked", "main")
    world.git("cherry-pick", "work")
    world.settle()
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--no-ff", "-m", "merged", "work")
    finish(world)
    assert told(world) == world.expected  # type: ignore[attr-defined]


def test_a_feature_in_one_commit(world: World) -> None:
    """Scenario 31: 1 + 7 events, one causation."""
    made = world.root / SLUG  # all of it comes at once, for a watcher too
    tasks = made / "tasks"
    tasks.mkdir(parents=True)
    (made / "meta.json").write_text(json.dumps({"feature_number": "002", "target_branch": "main"}))
    for number in range(1, 8):
        (tasks / f"WP0{number}.md").write_text(f"---\nlane: planned\n---\n\n# Part {number}\n")
    made.rename(world.root / "kitty-specs" / SLUG)
    world.commit()
    until(lambda: len(told(world)) == 8, what=lambda: f"{told(world)}")
    events = [event for event in world.events(None) if event["payload"].get("feature_slug") == SLUG]
    assert Counter(event["event_type"] for event in events) == {"FeatureCreated": 1, "WPCreated": 7}
    assert len({event["causation_id"] for event in events}) == 1
    assert len({event["correlation_id"] for event in events}) == 1
    finish(world)


def test_elsewheres_notes_and_agents(begun: World, tmp_path: Path) -> None:
    """O3: what a teammate noted and who works there was told there; what I add is told here."""
    world = begun
    mate = world.clone("mate")
    path = mate.root / world.path("WP01", SLUG).relative_to(world.root)
    note = "- 2026-01-01T10:00:00Z – bob – lane=planned – Looked at it\n"
    path.write_text(path.read_text().replace("lane: planned", "lane: doing").replace('""', "bob") + note)
    mate.commit()
    mate.git("push", "-q")
    world.git("pull", "-q", "--ff-only")
    world.settle()
    assert told(world) == world.expected  # type: ignore[attr-defined]
    local = world.path("WP01", SLUG)
    local.write_text(local.read_text() + "- 2026-01-01T11:00:00Z – bob – lane=doing – Mine\n")
    world.commit()
    expect(world, "WP01 note bob: Mine")
    finish_told = told(world)
    world.settle()
    assert told(world) == finish_told
