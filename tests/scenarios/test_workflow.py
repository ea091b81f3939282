"""The workflow's commands: what each edits, and that it is told once, with watcher, hooks and both at the same time."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.world import FEATURE, Clone, World
from tests.waiting import DEADLINE, until
from tests.warm import PROGRAM

MakeWorld = Callable[[str], World]


@pytest.fixture
def both(make_world: MakeWorld) -> World:
    """A world with watcher and hooks."""
    return make_world("WH")


def errors(clone: Clone) -> list[dict[str, Any]]:
    return [event["payload"] for event in clone.events("ErrorLogged")]


def quiet(world: World, *steps: str) -> None:
    """Nothing more is told by whoever comes later: the watcher, a commit, a replay."""
    world.expect(*steps)
    world.settle()
    world.commit("afterwards", "--allow-empty")
    world.expect(*steps)
    world.settle()
    world.replay_adds_nothing()
    assert world.steps() == list(steps)
    assert errors(world) == []


def test_implement_tells_exactly_one_status_change(world: World) -> None:
    before = world.path().read_bytes()
    done = world.run("implement", "WP01", "--agent", "claude")
    assert done.stdout == "WP01  planned → doing\n"
    world.expect("planned>doing")  # the command itself has told, whoever else runs
    after = world.path().read_bytes()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert [line.partition(b" \xe2\x80\x93 ")[2] or line for line in added] == [
        b"lane: doing",
        b"agent: claude",
        "claude – lane=doing – Started implementation".encode(),
    ]
    quiet(world, "planned>doing")
    assert world.events()[0]["payload"]["changed_by"] == "claude"


def test_implement_with_a_commit(world: World) -> None:
    world.run("implement", "WP01", "--commit")
    quiet(world, "planned>doing")
    assert world.events()[0]["payload"]["changed_by"] == "user"


def test_accept_tells_one_status_change_for_each_work_package(world: World) -> None:
    for number in range(1, 5):
        world.write("for_review", wp_id=f"WP{number:02}")
    world.commit("up for review")
    world.expect("planned>for_review")
    done = world.run("accept", "--actor", "reviewer", "--json")
    assert [one["lane"] for one in json.loads(done.stdout)["work_packages"]] == ["done"] * 4
    for number in range(2, 5):
        world.expect("planned>for_review", "for_review>done", wp_id=f"WP{number:02}")
    quiet(world, "planned>for_review", "for_review>done")
    assert {event["payload"]["changed_by"] for event in world.events()[-4:]} == {"reviewer"}


def test_merge_tells_exactly_one_status_change(both: World) -> None:
    both.run("implement", "WP01")
    assert both.run("merge").stdout == "WP01  doing → for_review\n"
    quiet(both, "planned>doing", "doing>for_review")


def test_move_task_tells_exactly_one_status_change(both: World) -> None:
    both.run("agent", "tasks", "move-task", "WP01", "--to", "in_progress", "--agent", "a", "--shell-pid", "12")
    assert b"shell_pid: 12" in both.path().read_bytes().replace(b'"', b"")
    both.run("agent", "tasks", "move-task", "WP01", "--to", "planned", "--note", "not yet")
    both.run("agent", "tasks", "move-task", "WP01", "--to", "doing", "--agent", "a")
    quiet(both, "planned>doing", "doing>planned", "planned>doing")


def test_mark_status_tells_exactly_one_status_change(both: World) -> None:
    both.run("agent", "tasks", "mark-status", "wp1", "--status", "doing")
    both.run("agent", "tasks", "mark-status", "WP01", "--status", "doing")
    quiet(both, "planned>doing")


def test_mark_status_ticks_subtasks_and_tells_nothing(both: World) -> None:
    listed = both.root / "kitty-specs" / FEATURE / "tasks.md"
    listed.write_bytes(b"## WP01\r\n\r\n- [ ] T001 One\r\n- [ ] T002 Two\r\n")
    done = both.run("agent", "tasks", "mark-status", "T002", "--status", "done", "--json")
    assert json.loads(done.stdout)["subtasks"] == ["T002"]
    assert listed.read_bytes() == b"## WP01\r\n\r\n- [ ] T001 One\r\n- [x] T002 Two\r\n"
    quiet(both)
    assert both.run("agent", "tasks", "mark-status", "T003", "--status", "done", check=False).returncode == 1
    assert [one["error_type"] for one in errors(both)] == ["runtime"]


def test_add_history_moves_nothing(both: World) -> None:
    both.run("agent", "tasks", "add-history", "WP01", "--note", "a word\nor two", "--agent", "claude")
    assert " – claude – lane=planned – a word or two\n" in both.path().read_text("utf-8")
    quiet(both)


def test_finalize_tasks_creates_the_feature_and_its_work_packages(make_world: MakeWorld) -> None:
    feature = "002-cart"
    both = make_world("H")
    for number in (1, 2, 3):
        both.write("planned", wp_id=f"WP{number:02}", feature=feature)
    tasks = both.root / "kitty-specs" / feature / "tasks.md"
    tasks.write_text("## WP01\n\n## WP02\n\nDepends on WP01\n\n## WP03\n\n### Dependencies\n- WP01, WP02\n", "utf-8")
    done = both.run("agent", "feature", "finalize-tasks", "--feature", feature, "--commit", "--json")
    assert json.loads(done.stdout)["dependencies"] == {"WP01": [], "WP02": ["WP01"], "WP03": ["WP01", "WP02"]}
    assert "dependencies: [WP01, WP02]\n" in both.path("WP03", feature).read_text("utf-8")
    assert [one["payload"]["feature_slug"] for one in both.events("FeatureCreated")] == [feature]
    created = [one["payload"] for one in both.events("WPCreated")]
    assert [(one["wp_id"], one["dependencies"]) for one in created] == [
        ("WP01", []),
        ("WP02", ["WP01"]),
        ("WP03", ["WP01", "WP02"]),
    ]
    again = both.run("agent", "tasks", "finalize-tasks", "--feature", feature)
    assert again.stdout == ""
    tasks.write_text("## WP01\n\nDepends on WP02\n\n## WP02\n\nDepends on WP01\n", "utf-8")
    before = both.path("WP01", feature).read_bytes()
    failed = both.run("agent", "feature", "finalize-tasks", "--feature", feature, check=False)
    assert (failed.returncode, "circle" in failed.stderr) == (1, True)
    assert both.path("WP01", feature).read_bytes() == before


REFUSED: list[tuple[str, str]] = [
    ("implement WP03", "WP03 depends on WP01, WP09, which are not done"),
    ("implement WP02", "WP02 may not go from done to doing: it is done"),
    ("implement WP07", "has no work package WP07"),
    ("implement WP01 --feature 003-x", "there is no feature 003-x"),
    ("implement WP01 --agent 'a – b'", "dash between spaces"),
    ("implement WP05 --agent claude", "WP05 is being done by codex"),
    ("merge WP01", "from planned it goes to doing"),
    ("accept", "WP01 may not go from planned to done"),
    ("accept WP02 WP05", "WP05 may not go from doing to done"),
    ("agent tasks move-task WP02 --to planned", "may not go from done to planned"),
    ("agent tasks move-task WP01 --to shipped", "there is no such lane"),
    ("agent tasks move-task WP04 --to doing", "WP04-work.md:1: there is no frontmatter"),
]


@pytest.mark.long
def test_what_is_refused_changes_nothing_and_tells_one_error(make_world: MakeWorld) -> None:
    """Without observers: each command's own telling is all there is."""
    world = make_world("")
    for wp_id, lane, field in (
        ("WP02", "done", ""),
        ("WP03", "planned", "dependencies: [WP01, WP02, WP09]\n"),
        ("WP05", "doing", "agent: codex\n"),
    ):
        world.write(lane, wp_id=wp_id)
        path = world.path(wp_id)
        path.write_text(path.read_text("utf-8").replace("lane:", f"{field}lane:"), "utf-8")
    world.path("WP04").write_text("no frontmatter\n", "utf-8")
    world.commit("more")
    world.run("emit", "scan")
    files = {path: path.read_bytes() for path in (world.root / "kitty-specs").rglob("*.md")}
    for command, reason in REFUSED:
        told = len(world.events(None))
        done = world.run(*shlex.split(command), check=False)
        assert (done.returncode, done.stdout) == (1, ""), command
        assert reason in done.stderr
        assert {path: path.read_bytes() for path in files} == files
        events = [(event["event_type"], event["payload"]) for event in world.events(None)[told:]]
        assert [(kind, fields["error_type"]) for kind, fields in events] == [("ErrorLogged", "runtime")], command
        assert reason in events[0][1]["error_message"]
        assert str(events[0][1]["wp_id"]) in f"{command} None"
    world.run("merge")
    assert world.run("merge", check=False).stderr.startswith("error: no work package of 001-login is being done")


def test_force_goes_past_the_rules(make_world: MakeWorld) -> None:
    world = make_world("")
    world.run("agent", "tasks", "move-task", "WP01", "--to", "done", "--force")
    world.run("agent", "tasks", "move-task", "WP01", "--to", "planned", "--force")
    assert world.steps() == ["planned>done", "done>planned"]


def test_commit_commits_just_that_file(make_world: MakeWorld) -> None:
    """What is staged stays staged, what is not stays not; also where the work package was never added."""
    world = make_world("H")
    (world.root / "staged").write_text("1", "utf-8")
    world.git("add", "staged")
    (world.root / "staged").write_text("2", "utf-8")
    (world.root / "other").write_text("1", "utf-8")
    world.write("planned", wp_id="WP02")
    before = world.git("status", "--porcelain")
    world.run("implement", "WP01", "--commit")
    done = world.run("implement", "WP02", "--commit", "--json")
    assert json.loads(done.stdout)["commit"] == world.git("rev-parse", "HEAD").strip()
    assert world.git("show", "--name-only", "--format=%s", "HEAD~1", "HEAD").split() == [
        "WP01:", "doing", str(world.path("WP01").relative_to(world.root)),
        "WP02:", "doing", str(world.path("WP02").relative_to(world.root)),
    ]  # fmt: skip
    after = world.git("status", "--porcelain")
    assert after == "".join(line for line in before.splitlines(keepends=True) if "WP02" not in line)
    assert world.git("show", ":staged") == "1"
    assert world.steps("WP01") == world.steps("WP02") == ["planned>doing"]


def test_a_commit_that_git_refuses_leaves_the_file_as_it_was(make_world: MakeWorld) -> None:
    world = make_world("H")
    hook = world.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    world.write("planned", wp_id="WP02")
    before = world.path().read_bytes(), world.path("WP02").read_bytes(), world.git("status", "--porcelain")
    for wp_id in ("WP01", "WP02"):
        done = world.run("implement", wp_id, "--commit", "--worktree", check=False)
        assert (done.returncode, "not today" in done.stderr) == (1, True)
    assert (world.path().read_bytes(), world.path("WP02").read_bytes(), world.git("status", "--porcelain")) == before
    assert len(errors(world)) == 2
    assert world.steps() == []
    assert world.git("worktree", "list").count("\n") == 1
    assert world.git("branch", "--list", f"{FEATURE}-*") == ""


def test_a_worktree_for_a_work_package(both: World) -> None:
    done = both.run("implement", "WP01", "--worktree", "--commit", "--json")
    made = Path(json.loads(done.stdout)["worktree"])
    assert made == both.root / ".worktrees" / f"{FEATURE}-WP01"
    there = Clone(made, both.home)
    assert there.git("branch", "--show-current").strip() == f"{FEATURE}-WP01"
    assert both.git("status", "--porcelain") == ""
    (made / "code").write_text("1", "utf-8")
    there.commit("code")
    # Called in the worktree, a command edits where the lanes are kept, and knows which work package is meant.
    assert there.run("merge").stdout == "WP01  doing → for_review\n"
    assert "lane: for_review" in both.path().read_text("utf-8")
    assert there.git("status", "--porcelain") == ""
    both.write("planned", wp_id="WP02")
    both.run("implement", "WP02", "--base", "WP01")
    assert (both.root / ".worktrees" / f"{FEATURE}-WP02" / "code").exists()
    quiet(both, "planned>doing", "doing>for_review")


def test_several_features_have_to_be_named(make_world: MakeWorld) -> None:
    world = make_world("")
    world.write("planned", feature="002-cart")
    done = world.run("implement", "WP01", check=False)
    assert done.returncode == 1
    assert "001-login, 002-cart" in done.stderr
    world.git("checkout", "-q", "-b", "002-cart-WP01")
    world.run("implement", "WP01")
    assert "lane: doing" in world.path(feature="002-cart").read_text("utf-8")
    inside = Clone(world.path().parent, world.home)
    inside.run("implement", "WP01")
    assert "lane: doing" in world.path().read_text("utf-8")


@pytest.mark.long
def test_commands_at_once_keep_one_anothers_edits(both: World) -> None:
    for number in range(2, 5):
        both.write("planned", wp_id=f"WP{number:02}")
    notes = [f"note {number}" for number in range(6)]
    command = [*PROGRAM, "agent", "tasks", "add-history", "WP01", "--note"]
    running = [
        subprocess.Popen([*command, note], cwd=both.root, env=both.environment, stdout=subprocess.DEVNULL)
        for note in notes
    ]
    running += [
        subprocess.Popen(
            [*PROGRAM, "implement", f"WP0{number}", "--commit"],
            cwd=both.root,
            env=both.environment,
            stdout=subprocess.DEVNULL,
        )
        for number in (1, 2, 3, 4)
    ]
    assert [process.wait(DEADLINE) for process in running] == [0] * 10
    text = both.path().read_text("utf-8")
    assert [note for note in notes if f" – {note}\n" not in text] == []
    for number in (2, 3, 4):
        both.expect("planned>doing", wp_id=f"WP0{number}")
    quiet(both, "planned>doing")


def test_the_file_keeps_its_mode_and_its_line_ends(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world("")
    path = world.path()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o640)
    world.run("implement", "WP01")
    assert path.stat().st_mode & 0o777 == 0o640
    assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")
    target = tmp_path / "elsewhere.md"
    path.rename(target)
    path.symlink_to(target)
    before = target.read_bytes()
    assert world.run("merge", "WP01", check=False).returncode == 1
    assert target.read_bytes() == before
    path.unlink()
    inside = path.parent.parent / "text.md"
    target.rename(inside)
    path.symlink_to(Path("..") / "text.md")
    world.run("merge", "WP01")
    assert path.is_symlink()
    assert b"lane: for_review\r\n" in inside.read_bytes()


def test_a_file_that_is_read_in_part_is_not_written(make_world: MakeWorld) -> None:
    world = make_world("")
    listed = world.root / "kitty-specs" / FEATURE / "tasks.md"
    listed.write_bytes(b"- [ ] T001 One\n" + b"x" * (1 << 20))
    assert world.run("agent", "tasks", "mark-status", "T001", "--status", "done", check=False).returncode == 1
    assert listed.stat().st_size == 15 + (1 << 20)


def test_an_edit_in_the_middle_of_something_is_told_later(make_world: MakeWorld) -> None:
    world = make_world("H")
    world.git("bisect", "start")
    done = world.run("implement", "WP01")
    assert "in the middle of something (bisect)" in done.stderr
    assert world.steps() == []
    world.git("bisect", "reset")
    world.run("emit", "scan")
    until(lambda: world.steps() == ["planned>doing"])
