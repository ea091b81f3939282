"""The event log of spec-kitty 3 as a lane source: each row in the three modes, then replayed here and elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.scenarios.missions import MISSION, append, line, line_id, lock, log_path, plan, write_log
from tests.scenarios.table import MakeWorld, check, scenario
from tests.scenarios.world import Clone, World

P_C, C_I, I_R, R_V, V_A, A_D = (
    "planned>claimed",
    "claimed>in_progress",
    "in_progress>for_review",
    "for_review>in_review",
    "in_review>approved",
    "approved>done",
)


@scenario("E4", every=[P_C, C_I, I_R, R_V, V_A, A_D])
def test_lines_are_appended_and_committed(world: World) -> None:
    plan(world)
    for number, step in enumerate([P_C, C_I, I_R, R_V, V_A, A_D], start=1):
        append(world, line(number, step))
        world.commit("chore(spec-kitty): status transition WP01")
    check(world, [P_C, C_I, I_R, R_V, V_A, A_D])
    assert world.ids() == [line_id(number) for number in range(1, 7)]
    event = world.events()[0]
    assert event["schema_version"] == "1.1.0"
    assert event["timestamp"] == "2026-03-01T12:01:00Z"
    assert event["payload"]["changed_by"] == "claude"
    assert (event["payload"]["previous_category"], event["payload"]["new_category"]) == ("backlog", "active")
    assert world.created(MISSION) == ["WP01"]


@scenario("E9", W=[P_C], H=[], WH=[P_C], elsewhere=[])
def test_an_append_is_told_before_its_commit_and_a_half_line_is_none(world: World) -> None:
    plan(world)
    append(world, line(1, P_C), line(2, C_I)[:80])


@scenario("E9", every={f"WP{number:02}": [P_C, C_I] for number in range(1, 11)})
def test_ten_processes_append(world: World) -> None:
    wp_ids = [f"WP{number:02}" for number in range(1, 11)]
    plan(world, *wp_ids)
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2]); open(sys.argv[1], 'a').write(sys.argv[3])"
    writers = []
    for number, wp_id in enumerate(wp_ids):
        lines = [line(20 + number, P_C, wp_id=wp_id), line(40 + number, C_I, wp_id=wp_id)]
        writers.append(subprocess.Popen([sys.executable, "-c", script, str(log_path(world)), *lines]))
    assert [writer.wait() for writer in writers] == [0] * 10
    world.commit("all at once")
    check(world, {wp_id: [P_C, C_I] for wp_id in wp_ids})
    assert len(set(world.ids())) == 20


@scenario("E11", every=[P_C, C_I, I_R])
def test_a_coordination_worktree_is_merged_into_the_target_branch(world: World) -> None:
    lines = plan(world)
    coordination = world.linked(f"{MISSION}-coord")
    for number, step in enumerate([P_C, C_I, I_R], start=1):
        append(coordination, line(number, step))
        coordination.commit("chore(spec-kitty): status transition WP01")
    world.look()
    check(world, [P_C, C_I, I_R])
    assert log_path(world).read_text("utf-8") == "".join(lines)
    world.git("merge", "-q", "--squash", f"{MISSION}-coord")
    world.commit("squash")


@scenario("E11", every=[P_C, C_I])
def test_a_lane_worktree_shows_an_older_log(world: World) -> None:
    plan(world)
    lane = world.linked(f"{MISSION}-lane-a")
    append(world, line(1, P_C), line(2, C_I))
    world.commit("moved")
    (lane.root / "code.py").write_text("x = 1\n", "utf-8")
    lane.commit("work")
    lane.git("rm", "-q", "-r", f"kitty-specs/{MISSION}")
    lane.commit("remove planning artifacts from lane branch")
    world.git("merge", "-q", "-s", "ours", "--no-edit", f"{MISSION}-lane-a")


@scenario("E3", every={"WP01": [P_C, C_I], "WP02": [P_C, C_I]})
def test_two_branches_logs_are_united(world: World) -> None:
    lines = plan(world, "WP01", "WP02")
    world.git("switch", "-q", "-c", "other")
    append(world, line(3, P_C, wp_id="WP02"), line(6, C_I, wp_id="WP02"))
    world.commit("other")
    world.git("switch", "-q", "main")
    append(world, line(4, P_C), line(5, C_I))
    world.commit("mine")
    world.git("merge", "-q", "--no-commit", "--no-ff", "other", check=False)
    united = [line(3, P_C, wp_id="WP02"), line(4, P_C), line(5, C_I), line(6, C_I, wp_id="WP02")]
    write_log(world, *lines, *united)
    world.commit("merged by the driver")


@scenario("E4", every=[P_C, I_R, C_I])
def test_a_line_inserted_in_the_middle_is_told_with_the_lane_that_is_shown(world: World) -> None:
    lines = plan(world)
    append(world, line(1, P_C), line(3, I_R))
    world.commit("moved")
    world.settle()
    write_log(world, *lines, line(1, P_C), line(2, C_I), line(3, I_R))
    world.commit("a line in the middle")
    check(world, [P_C, I_R, C_I])
    late = world.events()[-1]
    assert late["event_id"] == line_id(2)
    assert late["payload"]["lane_now"] == "for_review"
    assert "lane_now" not in world.events()[0]["payload"]


@scenario("E2", every=[P_C, C_I])
def test_old_lines_are_rewritten_with_more_fields(world: World) -> None:
    lines = plan(world)
    append(world, line(1, P_C))
    world.commit("moved")
    world.settle()
    more: dict[str, Any] = {"mission_id": "01KN233MB0ZCTRZHRD4KP8A8DH", "actor": "claude:opus:pedro:implementer"}
    write_log(world, *lines, line(1, P_C, **more), line(2, C_I, **more))
    world.commit("rewritten")


@scenario("E10", every=[P_C, C_I])
def test_an_older_commit_is_checked_out_and_left_again(world: World) -> None:
    plan(world)
    append(world, line(1, P_C))
    world.commit("one")
    append(world, line(2, C_I))
    world.commit("two")
    world.settle()
    world.git("checkout", "-q", "HEAD~2")
    world.settle()
    world.git("switch", "-q", "main")
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.settle()
    world.git("reset", "-q", "--hard", "ORIG_HEAD")


@scenario("E10", W=[P_C], H=[], WH=[P_C], elsewhere=[])
def test_a_line_that_is_taken_away_again_is_no_step_back(world: World) -> None:
    lines = plan(world)
    append(world, line(1, P_C))
    if world.watched:
        world.expect(P_C)
    write_log(world, *lines)


@scenario("E10", W=[P_C], H=[], WH=[P_C], elsewhere=[])
def test_a_log_is_not_looked_at_while_its_lock_is_held(world: World) -> None:
    """What an operation that fails took away again before it let go was never there."""
    lines = plan(world)
    world.settle()
    with lock(world):
        append(world, line(1, P_C), line(2, C_I))
        world.settle()
        assert world.ids() == []
        write_log(world, *lines, line(1, P_C))


@scenario("E9", every=[P_C, C_I, I_R])
def test_a_conflict_with_markers_is_one_error_and_both_sides_count(world: World) -> None:
    plan(world)
    append(world, line(1, P_C))
    world.commit("one")
    world.git("switch", "-q", "-c", "other")
    append(world, line(2, C_I))
    world.commit("other")
    world.git("switch", "-q", "main")
    append(world, line(3, I_R))
    world.commit("mine")
    world.git("merge", "-q", "other", check=False)
    assert "<<<<<<<" in log_path(world).read_text("utf-8")
    world.commit("markers and all")
    check(world, {"WP01": ["*", "*", "*"]})
    errors = [one["payload"] for one in world.events("ErrorLogged")]
    assert [one["error_message"].split(": ", 1)[1] for one in errors] == ["a conflict of git's is not resolved here"]
    kept = [one for one in log_path(world).read_text("utf-8").splitlines(keepends=True) if one.startswith("{")]
    write_log(world, *kept)
    world.commit("resolved")


@scenario("E2", every=[P_C, C_I])
def test_a_mission_is_archived_and_its_lines_stand_in_another_one(world: World) -> None:
    lines = plan(world)
    append(world, line(1, P_C))
    world.commit("moved")
    world.settle()
    write_log(world, *lines, line(1, P_C), mission="003-other")
    world.write(None, feature="003-other", body="Other.")
    world.commit("lines copied")
    world.settle()
    world.git("mv", f"kitty-specs/{MISSION}", "kitty-specs/002-mission-archived")
    world.commit("archived")
    world.settle()
    append(world, line(2, C_I), mission="002-mission-archived")
    world.commit("goes on")


@scenario(
    "E4", every=[P_C, C_I, "in_progress>blocked", "blocked>in_progress", "in_progress>planned", "planned>canceled"]
)
def test_blocked_and_back_forced_and_canceled(world: World) -> None:
    plan(world)
    steps = [P_C, C_I, "in_progress>blocked", "blocked>in_progress", "in_progress>planned", "planned>canceled"]
    for number, step in enumerate(steps, start=1):
        append(world, line(number, step, force=number == 5))
        world.commit(step)
    check(world, steps)
    assert [one["payload"]["force"] for one in world.events()] == [False] * 4 + [True, False]
    assert world.events("FeatureCompleted") == []


@scenario("E2", every=[C_I], replayed=[P_C], elsewhere=[P_C, C_I])
def test_lines_from_before_the_baseline_are_none_of_another_mission_either(world: World) -> None:
    """Known by their ids, and only a replay tells them, once."""
    lines = plan(world)
    append(world, line(1, P_C))
    world.commit("moved")
    world.settle()
    world.start_over()
    write_log(world, *lines, line(1, P_C), mission="003-other")
    world.commit("lines copied")
    world.settle()
    append(world, line(2, C_I), mission="003-other")
    world.commit("goes on there")


@scenario("E10", every=[P_C])
def test_a_mission_is_removed(world: World) -> None:
    plan(world)
    append(world, line(1, P_C))
    world.commit("moved")
    world.git("rm", "-q", "-r", f"kitty-specs/{MISSION}")
    world.commit("removed")


@scenario("E5", every=[])
def test_lines_that_lead_nowhere_are_no_transitions(world: World) -> None:
    plan(world)
    append(world, line(1, "planned>planned"), '{"event_type": "MissionCreated", "wp_id": "WP01", "to_lane": "done"}\n')
    append(world, '{"kind": "retrospective", "wp_id": "WP01"}\n', '{"event_name": "x"}\n')
    world.commit("nothing")
    check(world, [])
    assert world.events("ErrorLogged") == []


# Two sources.


@scenario("E6", every=["planned>doing", "doing>for_review", "for_review>approved"])
def test_what_frontmatter_said_stays_and_what_the_log_says_of_it_is_silent(world: World) -> None:
    world.write("planned", feature=MISSION)
    world.commit("planned")
    world.write("doing", feature=MISSION)
    world.commit("doing")
    world.write("for_review", feature=MISSION)
    world.commit("for review")
    world.settle()
    world.write(None, feature=MISSION)
    append(world, line(1, P_C, actor="migration"), line(2, C_I, actor="migration"), line(3, I_R, actor="migration"))
    world.commit("upgrade to 3.0")
    world.settle()
    append(world, line(4, "for_review>approved"))
    world.commit("approved")
    check(world, ["planned>doing", "doing>for_review", "for_review>approved"])
    assert world.created(MISSION) == ["WP01"]


@scenario("E10", every=["planned>doing", "in_progress>approved"], elsewhere=["planned>doing"])
def test_a_branch_is_reset_to_before_its_log(world: World) -> None:
    """Its frontmatter shows another lane again, and that takes nothing back that the log has said."""
    world.write("planned", feature=MISSION)
    world.commit("planned")
    world.write("doing", feature=MISSION)
    world.commit("doing")
    world.write(None, feature=MISSION)
    append(world, line(1, "in_progress>approved"))
    world.commit("upgrade to 3.0, and approved")
    world.settle()
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.settle()
    world.git("reset", "-q", "--hard", "ORIG_HEAD")
    world.settle()
    world.git("reset", "-q", "--hard", "HEAD~1")
    world.look()


@scenario("E12", every=[P_C, C_I])
def test_a_lane_that_still_stands_in_frontmatter_says_nothing(world: World) -> None:
    plan(world)
    append(world, line(1, P_C))
    world.write("in_progress", feature=MISSION)
    world.commit("both")
    world.write("blocked", feature=MISSION)
    append(world, line(2, C_I))
    world.commit("both again")
    world.write("done", feature=MISSION)
    world.commit("frontmatter alone")
    check(world, [P_C, C_I])
    assert world.events("ErrorLogged") == []


@scenario("E6", every=[P_C, C_I])
def test_both_kinds_in_one_project(world: World) -> None:
    plan(world)
    append(world, line(1, P_C))
    world.commit("moved")
    world.settle()
    append(world, line(2, C_I))
    world.commit("moved again")


# What follows.


@scenario("E13", every={"WP01": [P_C, C_I, I_R, R_V, V_A, A_D], "WP02": ["planned>canceled"]})
def test_dependents_may_begin_once_it_is_approved_and_done_completes(world: World) -> None:
    plan(world, "WP01", "WP02")
    path = world.path("WP02", MISSION)
    path.write_text(path.read_text("utf-8").replace("title:", "dependencies: [WP01]\ntitle:"), "utf-8")
    append(world, line(20, "planned>canceled", wp_id="WP02"))
    world.commit("canceled")
    for number, step in enumerate([P_C, C_I, I_R, R_V, V_A, A_D], start=21):
        append(world, line(number, step))
        world.commit(step)
    check(world, {"WP01": [P_C, C_I, I_R, R_V, V_A, A_D], "WP02": ["planned>canceled"]})
    (resolved,) = world.events("DependencyResolved")
    assert resolved["causation_id"] == line_id(25)
    (completed,) = world.events("FeatureCompleted")
    assert completed["causation_id"] == line_id(26)
    assert completed["payload"]["total_wps"] == 2


@scenario("E14", every=[P_C, C_I, I_R, R_V, "in_review>in_progress"])
def test_who_took_it_on_and_what_the_review_said(world: World) -> None:
    plan(world)
    actor = {"role": "reviewer", "tool": "codex", "model": "__resolved_model_absent__"}
    verdict = {"reviewer": "codex", "verdict": "changes_requested", "reference": "feedback://x"}
    append(world, line(1, P_C), line(2, C_I), line(3, I_R), line(4, R_V, actor=actor))
    append(world, line(5, "in_review>in_progress", actor=actor, review_result=verdict, reason="/home/me/x is bad"))
    note = {"kind": "annotation", "wp_id": "WP01", "event_id": line_id(6), "at": "2026-03-01T13:00:00Z", "actor": "a"}
    append(world, f"{json.dumps(note | {'delta': {'note': 'in private'}})}\n")
    world.commit("all of it")
    check(world, [P_C, C_I, I_R, R_V, "in_review>in_progress"])
    assigned = [one["payload"] for one in world.events("WPAssigned")]
    assert [(one["agent_id"], one["phase"]) for one in assigned] == [("claude", "implementation"), ("codex", "review")]
    assert assigned[1]["actor"] == {"role": "reviewer", "tool": "codex"}
    (added,) = [one["payload"] for one in world.events("HistoryAdded")]
    assert (added["entry_type"], added["entry_content"], added["author"]) == ("review", "changes requested", "codex")
    assert "private" not in json.dumps(world.events(None))
    assert "/home/me" not in json.dumps(world.events(None))


def test_reasons_and_notes_leave_only_where_the_project_shares_them(make_world: MakeWorld) -> None:
    """E8."""
    world = make_world("H")
    config = world.root / ".kittify" / "config.yaml"
    config.write_text(config.read_text("utf-8") + "\nsync:\n  share_reasons: true\n", "utf-8")
    plan(world)
    evidence = {"review": {"verdict": "approved"}}
    note = {"kind": "annotation", "wp_id": "WP01", "event_id": line_id(2), "at": "2026-03-01T13:00:00Z", "actor": "a"}
    append(world, line(1, "planned>done", reason="it was easy", evidence=evidence))
    append(world, f"{json.dumps(note | {'delta': {'note': 'said'}})}\n")
    world.commit("done")
    (moved,) = [one["payload"] for one in world.events()]
    assert (moved["reason"], moved["evidence"]) == ("it was easy", evidence)
    assert [one["payload"]["entry_content"] for one in world.events("HistoryAdded")] == ["said"]


def test_an_id_that_is_no_ulid_gives_one_that_nothing_written_again_changes(make_world: MakeWorld) -> None:
    """E7, O9: the same on another machine, and when the agent's name was rewritten meanwhile."""
    world = make_world("H")
    lines = plan(world)
    append(world, line(1, P_C, event_id="claim-1"))
    world.commit("claimed")
    (told,) = world.ids()
    assert len(told) == 26
    assert world.fresh_replay().ids() == [told]
    write_log(world, *lines, line(1, P_C, event_id="claim-1", actor="claude:opus"))
    world.commit("rewritten")
    assert world.ids() == [told]
    world.replay_adds_nothing()


def test_a_board_shows_a_mission_where_its_coordination_branch_has_it(make_world: MakeWorld) -> None:
    """E11: in its worktree, else on the branch; and the checkout's log where there is none."""
    world = make_world("")
    plan(world)
    branch = f"kitty/{MISSION}"
    about = json.dumps({"topology": "coord", "coordination_branch": branch})
    (log_path(world).parent / "meta.json").write_text(about, "utf-8")
    world.commit("about it")
    place = world.root / ".worktrees" / f"{MISSION}-coord"
    world.git("worktree", "add", "-q", "-b", branch, str(place))
    coordination = Clone(place, world.home)
    append(coordination, line(1, P_C))
    assert lanes_of(world) == {"WP01": "claimed"}
    coordination.commit("claimed")
    world.git("worktree", "remove", str(place))
    assert lanes_of(world) == {"WP01": "claimed"}
    world.git("branch", "-q", "-D", branch)
    assert lanes_of(world) == {"WP01": "planned"}


def lanes_of(world: World) -> dict[str, str]:
    shown = json.loads(world.run("board", "--json").stdout)["features"]
    found = next(one["work_packages"] for one in shown if one["feature_slug"] == MISSION)
    return {one["wp_id"]: one["lane"] for one in found}
