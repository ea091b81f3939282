"""What is found where lanes come from: event logs, frontmatter beside them, missions without either."""

from __future__ import annotations

import json

import pytest

from tests.doctor.conftest import Clinic
from tests.scenarios.missions import line
from tests.scenarios.world import FEATURE

LOG = f"kitty-specs/{FEATURE}/status.events.jsonl"
CREATED = json.dumps({"event_type": "MissionCreated", "event_id": "01M8G9HSDA66APQXE46VZYKA18", "payload": {}}) + "\n"


def logged(clinic: Clinic, *lines: str, lane: str | None = None) -> None:
    """Commit a log, beside frontmatter with a lane or without."""
    clinic.write(lane)
    (clinic.root / LOG).write_text("".join(lines), encoding="utf-8")
    clinic.commit("log")


def test_a_mission_with_a_log_is_in_order(clinic: Clinic) -> None:
    logged(clinic, CREATED, line(1, "genesis>planned"), line(2, "planned>claimed"))
    assert clinic.found() == []


def test_no_lane_anywhere(clinic: Clinic) -> None:
    clinic.write(None, feature="002-next")
    clinic.commit("next")
    finding = clinic.not_mended("missions", "kitty-specs/002-next: no work package has a lane")
    assert "`lane: planned`" in finding["remedy"]
    (clinic.root / "kitty-specs" / "002-next" / "status.events.jsonl").write_text(CREATED)
    clinic.commit("begun")
    finding = clinic.not_mended("missions", "kitty-specs/002-next: no work package has a lane")
    assert "finalize-tasks --mission 002-next" in finding["remedy"]


def test_some_lanes_are_stated(clinic: Clinic) -> None:
    """The others are planned, or not begun."""
    clinic.write(None, wp_id="WP02")
    clinic.commit("second")
    assert clinic.found() == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("{broken\n", "the line is no JSON object"),
        ("<<<<<<< HEAD\n", "a conflict of git's is not resolved here"),
        (line(3, "claimed>nowhere"), "the lane is none of"),
    ],
)
def test_a_line_with_a_fault(clinic: Clinic, fault: str, reason: str) -> None:
    clinic.write(None, wp_id="WP02")
    logged(
        clinic, line(1, "genesis>planned", wp_id="WP02"), fault, line(2, "planned>claimed", wp_id="WP02"), lane="doing"
    )
    clinic.not_mended("missions", f"{clinic.root / LOG}:2: {reason}")
    assert clinic.steps("WP02") == ["planned>claimed"]


def test_a_fault_on_the_coordination_branch(clinic: Clinic) -> None:
    """Found in its worktree, or in the branch where that is gone; a copy in a lane's worktree is none of it."""
    where = clinic.root / ".worktrees" / f"{FEATURE}-coord"
    clinic.git("worktree", "add", "-q", "-b", f"kitty/mission-{FEATURE}", str(where))
    (where / LOG).write_text(line(1, "genesis>planned") + "{broken\n")
    clinic.git("-C", str(where), "add", "-A")
    clinic.git("-C", str(where), "commit", "-q", "-m", "log")
    broken = [one["finding"] for one in clinic.found() if one["topic"] == "missions" and "JSON" in one["finding"]]
    assert broken == [f"{where / LOG}:2: the line is no JSON object"]
    clinic.git("worktree", "remove", str(where))
    broken = [one["finding"] for one in clinic.found() if one["topic"] == "missions" and "JSON" in one["finding"]]
    assert broken == [f"kitty/mission-{FEATURE}:{LOG}:2: the line is no JSON object"]


@pytest.mark.parametrize(
    ("lane", "logged_lane", "agree"),
    [
        ("doing", "in_progress", True),
        ("doing", "claimed", True),
        ("for_review", "approved", True),
        ("done", "canceled", True),
        ("doing", "blocked", True),
        ("planned", "in_progress", False),
        ("doing", "done", False),
    ],
)
def test_frontmatter_beside_a_log(clinic: Clinic, lane: str, logged_lane: str, agree: bool) -> None:
    logged(clinic, line(1, "genesis>planned"), line(2, f"planned>{logged_lane}"), lane=lane)
    if agree:
        assert clinic.found() == []
    else:
        finding = clinic.not_mended("missions", f"frontmatter says {lane}, but the event log, which counts, has WP01")
        assert f"has WP01 {logged_lane}" in finding["finding"]


@pytest.mark.parametrize(
    ("version", "schema", "known"),
    [("3.2.7", 3, True), ("4.0.0rc7", 3, True), ("5.0.0", 3, False), ("4.9.0", 4, False)],
)
def test_a_newer_spec_kitty(clinic: Clinic, version: str, schema: int, known: bool) -> None:
    path = clinic.root / ".kittify" / "metadata.yaml"
    path.write_text(f"spec_kitty:\n  schema_version: {schema}\n  version: {version}\n  last_upgraded_at:\n")
    if known:
        assert clinic.found() == []
    else:
        assert "newer kittywatch" in clinic.not_mended("missions", f"spec-kitty-cli {version}")["remedy"]


def test_told_and_log_differ(clinic: Clinic) -> None:
    """Rule E10: what is gone from a log is not taken back, but said, and told on demand."""
    before = (line(1, "genesis>planned"), line(2, "planned>claimed"))
    logged(clinic, *before)
    logged(clinic, *before, line(3, "claimed>for_review"))
    assert clinic.steps() == ["planned>doing", "claimed>for_review"]
    clinic.git("reset", "-q", "--hard", "HEAD~1")
    clinic.run("emit", "scan")
    finding = clinic.not_mended("ledger", "WP01 was told to be for_review last, here it is claimed")
    assert "emit reconcile" in finding["remedy"]


def test_a_log_on_a_coordination_branch_is_no_difference(clinic: Clinic) -> None:
    """The checkout's own log has no lane before the merge (rule E11)."""
    clinic.write(None, wp_id="WP02")
    logged(clinic, CREATED, lane="doing")
    about = clinic.root / "kitty-specs" / FEATURE / "meta.json"
    branch = f"kitty/mission-{FEATURE}"
    about.write_text(json.dumps({"topology": "coord", "coordination_branch": branch}))
    clinic.commit("about")
    where = clinic.root / ".worktrees" / f"{FEATURE}-coord"
    clinic.git("worktree", "add", "-q", "-b", branch, str(where))
    (where / LOG).write_text(line(1, "genesis>planned", wp_id="WP02") + line(2, "planned>claimed", wp_id="WP02"))
    clinic.git("-C", str(where), "add", "-A")
    clinic.git("-C", str(where), "commit", "-q", "-m", "log")
    assert clinic.steps("WP02") == ["planned>claimed"]
    assert clinic.found() == []
