"""Backlog.md, lists with boxes, and records as lane sources: each row for each tool in the three modes.

Every row is followed by a replay here, which adds nothing, and one in a fresh clone, with the same ids.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittywatch.store.database import NAME
from kittywatch.store.salvage import salvage
from tests.scenarios.neighbors import BacklogMd, OpenSpec, SpecKit, TaskMaster, Tool, neighbors
from tests.scenarios.table import MakeWorld, check, converges
from tests.scenarios.world import World
from tests.store import stores

EXAMPLES = Path(__file__).parents[2] / "examples"
A, B, BACK = {"A": ["0>1"]}, {"B": ["0>1"]}, {"A": ["0>1", "1>0"]}
BOTH = A | B
NOTHING: dict[str, list[str]] = {}


@neighbors(W=A, H=NOTHING, WH=A, elsewhere=NOTHING)
def test_an_edit(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)


@neighbors(every=A)
def test_an_edit_that_is_committed(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)
    world.settle()
    world.commit()
    created = [one["payload"] for one in world.events("WPCreated") if one["payload"]["wp_id"] in tool.ids.values()]
    assert {(one["wp_id"], one["feature_slug"]) for one in created} == {
        (one, tool.feature) for one in tool.ids.values()
    }
    assert {one["title"].split(" in ")[0] for one in created} <= {"Task A", "Task B"} or tool.name == "bmad"


@neighbors(W=BACK, H=NOTHING, WH=BACK, elsewhere=NOTHING)
def test_an_edit_that_is_taken_back(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)
    check_told(world, tool, A)
    world.git("checkout", "-q", "--", ".")


def check_told(world: World, tool: Tool, want: dict[str, list[str]]) -> None:
    """So much is told by now, where a watcher looks."""
    if world.watched:
        check(world, tool.named(want))


@neighbors(every=BOTH)
def test_two_commits(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)
    world.commit("A")
    tool.save(world, A=1, B=1)
    world.commit("B")


@neighbors(every=BACK)
def test_a_commit_and_its_revert(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.git("revert", "--no-edit", "HEAD")


@neighbors(every=A)
def test_a_branch_and_back(world: World, tool: Tool) -> None:
    world.git("checkout", "-q", "-b", "topic")
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.git("checkout", "-q", "main")
    world.settle()
    world.git("merge", "-q", "--ff-only", "topic")


@neighbors(every=BOTH)
def test_two_branches_that_move_two_tasks_of_one_file(world: World, tool: Tool) -> None:
    world.git("checkout", "-q", "-b", "topic")
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.git("checkout", "-q", "main")
    tool.save(world, A=0, B=1)
    world.commit("B")
    world.git("merge", "-q", "--no-ff", "topic", "-m", "merge")
    assert_merged(world, tool)


@neighbors(every=BOTH)
def test_a_rebase(world: World, tool: Tool) -> None:
    world.git("checkout", "-q", "-b", "topic")
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.git("checkout", "-q", "main")
    tool.save(world, A=0, B=1)
    world.commit("B")
    world.git("checkout", "-q", "topic")
    world.git("rebase", "-q", "main")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--ff-only", "topic")
    assert_merged(world, tool)


def assert_merged(world: World, tool: Tool) -> None:
    there = {path: (world.root / path).read_text("utf-8") for path in tool.texts("AB", {"A": 1, "B": 1})}
    assert there == tool.texts("AB", {"A": 1, "B": 1})


@neighbors(every=BOTH, elsewhere=BOTH)
def test_a_squash(world: World, tool: Tool) -> None:
    world.git("checkout", "-q", "-b", "topic")
    tool.save(world, A=1, B=0)
    world.commit("A")
    tool.save(world, A=1, B=1)
    world.commit("B")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--squash", "topic")
    world.commit("squash")


@neighbors(every=A)
def test_an_amended_commit(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.git("commit", "-q", "--amend", "-m", "A, in other words")


@neighbors(every=A)
def test_a_conflict_that_is_resolved(world: World, tool: Tool) -> None:
    """Both sides change the line: what is there in between, with markers, is no lane and no error."""
    world.git("checkout", "-q", "-b", "topic")
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.git("checkout", "-q", "main")
    path = tool.path(world)
    begun = tool.path(world).read_text("utf-8")
    path.write_text(begun.replace("Task A", "Task A as well").replace("sign-in: backlog", "sign-in: backlog # first"))
    world.commit("another title")
    world.git("merge", "-q", "topic", check=False)
    assert "<<<<<<<" in path.read_text("utf-8")
    tool.save(world, A=1, B=0)
    world.commit("resolved")
    world.settle()
    assert [one["payload"]["error_message"] for one in world.events("ErrorLogged")] == []


@neighbors(every=NOTHING)
def test_line_ends_and_a_byte_order_mark(world: World, tool: Tool) -> None:
    tool.save(world, end="\r\n", mark="\ufeff", A=0, B=0)
    world.commit("an editor")


@neighbors(every=A)
def test_a_move_in_a_file_with_windows_line_ends(world: World, tool: Tool) -> None:
    tool.save(world, end="\r\n", mark="\ufeff", A=1, B=0)
    world.commit("an editor")


@neighbors("spec-kit", "task-master", every=A)
def test_another_order(world: World, tool: Tool) -> None:
    tool.save(world, order="BA", A=0, B=0)
    world.commit("sorted")
    tool.save(world, order="AB", A=1, B=0)
    world.commit("sorted again, and moved")


@neighbors(W=A, elsewhere=NOTHING)
def test_a_half_written_file(world: World, tool: Tool) -> None:
    tool.save(world, A=1, B=0)
    check_told(world, tool, A)
    path = tool.path(world)
    whole = path.read_bytes()
    with path.open("wb") as file:
        for end in range(0, len(whole), 10):
            file.write(whole[end : end + 10])
            file.flush()
            path.stat()
    path.write_bytes(whole[: len(whole) // 2])
    path.write_bytes(whole)
    check_told(world, tool, A)
    assert world.events("ErrorLogged") == []


@neighbors(every=A)
def test_a_file_that_goes_and_comes_back(world: World, tool: Tool) -> None:
    """What disappears says nothing, and what comes back as it was is no news."""
    tool.save(world, A=1, B=0)
    world.commit("A")
    tool.path(world).unlink()
    world.commit("gone")
    tool.save(world, A=1, B=0)
    world.commit("back")


@neighbors("backlog.md", every=A)
def test_backlog_a_task_with_another_title_and_name(world: World, tool: BacklogMd) -> None:
    tool.path(world).rename(tool.path(world).with_name("back-1 - Another-title.md"))
    world.commit("renamed")
    tool.path(world).with_name("back-1 - Another-title.md").write_text(tool.text("A", "In Progress"))
    world.commit("moved")


@neighbors("backlog.md", every=A)
def test_backlog_a_task_of_another_milestone(world: World, tool: BacklogMd) -> None:
    tool.path(world).write_text(tool.text("A", "To Do", milestone="Version One"))
    world.commit("planned for it")
    tool.path(world).write_text(tool.text("A", "In Progress", milestone="Version One"))
    world.commit("moved")
    world.settle()
    assert [one["payload"]["feature_slug"] for one in world.events()] == ["Version-One"]
    assert "Version-One" in [one["payload"]["feature_slug"] for one in world.events("FeatureCreated")]
    assert world.rows("SELECT feature, wp_id, moved_to FROM moves") == [("Demo", "BACK-1", "Version-One")]


@neighbors("backlog.md", every={"A": ["to_do>in_progress", "in_progress>done"]})
def test_backlog_a_task_is_completed(world: World, tool: BacklogMd) -> None:
    """Done in the same commit that moves the file, whatever it says, and once."""
    tool.save(world, A=1, B=0)
    world.commit("A")
    completed = world.root / "backlog/completed" / tool.path(world).name
    completed.parent.mkdir()
    tool.path(world).rename(completed)
    world.commit("completed")
    world.settle()
    assert world.steps(tool.ids["A"]) == ["to_do>in_progress", "in_progress>done"]
    completed.write_text(tool.text("A", "Done"))
    world.commit("says so, too")


@neighbors("backlog.md", every=A)
def test_backlog_a_task_is_archived(world: World, tool: BacklogMd) -> None:
    """It stays where it is; another task that gets its id counts in its place."""
    tool.save(world, A=1, B=0)
    world.commit("A")
    archived = world.root / "backlog/archive/tasks" / tool.path(world).name
    archived.parent.mkdir(parents=True)
    tool.path(world).rename(archived)
    world.commit("archived")
    tool.path(world).write_text(tool.text("A", "In Progress"))
    world.commit("a new one")
    world.settle()
    assert world.events("ErrorLogged") == []


@neighbors("backlog.md", every=NOTHING)
def test_backlog_a_draft_is_no_task_yet(world: World, tool: BacklogMd) -> None:
    draft = world.root / "backlog/drafts/draft-1 - Idea.md"
    draft.parent.mkdir()
    draft.write_text(tool.text("A", "Draft").replace(tool.ids["A"], "DRAFT-1"))
    world.commit("draft")
    draft.rename(world.root / "backlog/tasks/back-3 - Idea.md")
    (world.root / "backlog/tasks/back-3 - Idea.md").write_text(tool.text("A", "To Do").replace(tool.ids["A"], "BACK-3"))
    world.commit("promoted")
    world.settle()
    made = [one["payload"]["wp_id"] for one in world.events("WPCreated")]
    assert "BACK-3" in made
    assert "DRAFT-1" not in made


@neighbors("backlog.md", every={"A": ["to_do>lane_e7e5869d", "lane_e7e5869d>done"]})
def test_backlog_other_statuses(world: World, tool: BacklogMd) -> None:
    """The last one is done, the first one backlog, whatever they are called; a name without Latin letters is one."""
    config = world.root / "backlog/config.yml"
    config.write_text('project_name: "Demo"\nstatuses: ["To Do", "\u9032\u884c\u4e2d", "Done"]\n', "utf-8")
    tool.path(world).write_text(tool.text("A", "\u9032\u884c\u4e2d"), "utf-8")
    world.commit("at work")
    tool.path(world).write_text(tool.text("A", "Done"))
    world.commit("done")
    world.settle()
    assert [one["payload"]["new_category"] for one in world.events()] == ["active", "done"]


@neighbors("backlog.md", every=NOTHING)
def test_backlog_two_tasks_with_one_id(world: World, tool: BacklogMd) -> None:
    tool.path(world).with_name("back-9 - Twin.md").write_text(tool.text("A", "Done"))
    world.commit("twin")
    world.settle()
    (error,) = [one["payload"]["error_message"] for one in world.events("ErrorLogged")]
    assert error.startswith("backlog/tasks/back-9 - Twin.md:1: BACK-1 is already the id of")


@neighbors("openspec", every=BOTH)
def test_openspec_a_change_is_archived(world: World, tool: OpenSpec) -> None:
    """It is the same feature, and what it says still counts (C3)."""
    tool.save(world, A=1, B=0)
    world.commit("A")
    archived = world.root / "openspec/changes/archive/2026-01-02-add-photos"
    archived.parent.mkdir()
    tool.path(world).parent.rename(archived)
    world.commit("archived")
    (archived / "tasks.md").write_text(tool.texts("AB", {"A": 1, "B": 1})[tool.file])
    world.commit("and one that was forgotten")
    world.settle()
    assert {one["payload"]["feature_slug"] for one in world.events()} == {"add-photos"}


@neighbors("openspec", every=A)
def test_a_directory_with_another_name(world: World, tool: SpecKit) -> None:
    directory = tool.path(world).parent
    directory.rename(directory.with_name("004-pictures"))
    world.commit("renamed")
    text = tool.texts("AB", {"A": 1, "B": 0})[tool.file]
    (directory.with_name("004-pictures") / "tasks.md").write_text(text)
    world.commit("A")


@neighbors("spec-kit", every=A)
def test_a_list_with_other_numbers_is_another_list(world: World, tool: SpecKit) -> None:
    tool.path(world).write_text(tool.texts("AB", {"A": 0, "B": 0})[tool.file].replace("T00", "T01"))
    world.commit("other numbers")
    tool.save(world, A=1, B=0)
    world.commit("the first list again")
    world.settle()
    made = [one["payload"]["wp_id"] for one in world.events("WPCreated")]
    assert sorted(one for one in made if one[0] == "T") == ["T001", "T002", "T011", "T012"]


@neighbors("spec-kit", every=NOTHING)
def test_a_list_with_one_id_twice(world: World, tool: SpecKit) -> None:
    """Rule C2."""
    path = tool.path(world)
    path.write_text(path.read_text("utf-8") + f"- [x] {tool.ids['A']} Another one\n")
    world.commit("twice")
    path.write_text(path.read_text("utf-8").replace("Another one", "One more"))
    world.commit("still")
    world.settle()
    (error,) = [one["payload"]["error_message"] for one in world.events("ErrorLogged")]
    assert f"{tool.ids['A']} is already the id of line" in error


@neighbors("spec-kit", every=NOTHING)
def test_boxes_that_are_no_tasks(world: World, tool: SpecKit) -> None:
    """Without an id, below another one, or in a block of code."""
    path = tool.path(world)
    more = "- [x] Without an id\n  - [x] T003 below\n\n```markdown\n- [x] T004 An example\n```\n1. [x] T005 a number\n"
    path.write_text(path.read_text("utf-8") + more)
    world.commit("more")
    world.settle()
    made = {one["payload"]["wp_id"] for one in world.events("WPCreated")}
    assert made & {"T003", "T004", "T005"} == set()


@neighbors("task-master", every={"A": ["0>1", "in_progress>done", "pending>done"]})
def test_task_master_tags_and_other_forms(world: World, tool: TaskMaster) -> None:
    """The form without tags is that of the tag master; another tag's task of the same id is another one."""
    (path,) = tool.texts("AB", {"A": 0, "B": 0})
    master = json.loads(tool.texts("AB", {"A": 1, "B": 0})[path])["master"]
    (world.root / path).write_text(json.dumps({"tasks": master["tasks"]}))
    world.commit("as it was before tags")
    master["tasks"][0] |= {"id": "1", "status": "done"}
    other = {"tasks": [{"id": 1, "title": "Another", "status": "done"}]}
    (world.root / path).write_text(json.dumps({"master": master, "next": other}))
    world.commit("tags")
    world.settle()
    assert [one["payload"]["feature_slug"] for one in world.events()] == ["master", "master", "next"]


@neighbors("backlog.md", every={"A": ["to_do>in_progress", "in_progress>done"]})
def test_backlog_by_hand_and_by_an_observer(world: World, tool: BacklogMd) -> None:
    """What was emitted by hand is known by the task's id, whatever its feature is by then."""
    tool.save(world, A=1, B=0)
    world.commit("A")
    world.settle()
    world.run("emit", "history", tool.ids["A"], "half of it", "--author", "ann")
    world.run("emit", "assign", tool.ids["A"], "ann")
    (note,) = [one["payload"] for one in world.events("HistoryAdded")]
    assert (note["feature_slug"], note["wp_id"]) == ("Demo", "BACK-1")
    tool.path(world).write_text(
        tool.text("A", "In Progress", milestone="v1").replace("assignee: []", "assignee: [ann]")
    )
    world.commit("planned for v1, and who does it")
    tool.path(world).write_text(tool.text("A", "Done", milestone="v1").replace("assignee: []", "assignee: [ann]"))
    world.commit("done")
    world.settle()
    assert [one["payload"]["agent_id"] for one in world.events("WPAssigned")] == ["ann"]


@neighbors("backlog.md", H=A)
def test_backlog_entries_that_were_lost(world: World, tool: BacklogMd) -> None:
    """Put back from the log they are the task's, and not the milestone's that it had."""
    tool.path(world).write_text(tool.text("A", "In Progress", milestone="v1"))
    world.commit("at work for v1")
    stores.execute(world.home, "DELETE FROM links")
    stores.execute(world.home, "DELETE FROM entries")
    stores.break_an_index(world.home)
    salvage(world.home / NAME, 0)
    assert ("/backlog.md", "BACK-1") in world.rows("SELECT feature, wp_id FROM entries WHERE kind = 'step'")


def test_a_long_list_is_complete_when_its_halves_are_on_two_branches(make_world: MakeWorld) -> None:
    """Of a feature with many tasks few are asked for, unless one that is open here was done elsewhere."""
    world = make_world("H")
    path = world.root / SpecKit.file
    path.parent.mkdir(parents=True)

    def save(*done: range) -> None:
        marks = (("x" if any(number in some for some in done) else " ", number) for number in range(100, 300))
        path.write_text("".join(f"- [{mark}] T{number} Task\n\nIts words.\n\n" for mark, number in marks))

    save()
    world.commit("a long list")
    world.git("checkout", "-q", "-b", "topic")
    save(range(100, 200))
    world.commit("one half")
    world.git("checkout", "-q", "main")
    save(range(200, 299))
    world.commit("the other half but one")
    assert world.events("FeatureCompleted") == []
    save(range(200, 300))
    world.commit("the other half")
    assert [one["payload"]["total_wps"] for one in world.events("FeatureCompleted")] == [200]


def _features(world: World, kind: str) -> list[str]:
    return [one["payload"]["feature_slug"] for one in world.events(kind) if one["payload"]["feature_slug"] == "Demo"]


def test_backlog_a_feature_that_was_there_before(make_world: MakeWorld) -> None:
    """B1: what a backlog had at the baseline is silent, its features and their completion included."""
    world, tool = make_world("H"), BacklogMd()
    tool.save(world, A=0, B=0)
    for task in "AB":
        tool.path(world, task).write_text(tool.text(task, "Done"))
    world.commit("all done")
    world.start_over()
    tool.path(world).write_text(tool.text("A", "Done", labels="[x]"))
    (world.root / "backlog/tasks/back-3 - New.md").write_text(tool.text("A", "Done").replace("BACK-1", "BACK-3"))
    world.commit("another one, done")
    assert [one["payload"]["wp_id"] for one in world.events("WPCreated")] == ["BACK-3"]
    assert (_features(world, "FeatureCreated"), _features(world, "FeatureCompleted")) == ([], [])


def test_backlog_a_feature_is_complete_again_after_a_task_left_done(make_world: MakeWorld) -> None:
    """Once; not because one was added; and again when one that was done is done again."""
    world, tool = make_world("H"), BacklogMd()
    tool.save(world, A=0, B=0)
    world.commit("tasks")

    def completed(task: str, status: str) -> int:
        tool.path(world, task).write_text(tool.text(task, status))
        world.commit(f"{task} {status}")
        return len(_features(world, "FeatureCompleted"))

    assert [completed("A", "Done"), completed("B", "Done")] == [0, 1]
    (world.root / "backlog/tasks/back-3 - New.md").write_text(tool.text("A", "Done").replace("BACK-1", "BACK-3"))
    world.commit("another one, done")
    assert len(_features(world, "FeatureCompleted")) == 1
    assert [completed("A", "In Progress"), completed("A", "Done")] == [1, 2]


@pytest.mark.parametrize("mode", ["W", "H", "WH"])
def test_a_source_of_the_configuration(make_world: MakeWorld, mode: str) -> None:
    """The example's tickets: their fields, their lanes, and a feature by directory."""
    world = make_world(mode)
    world.stop()
    config = world.root / ".kittify" / "config.yaml"
    config.write_text(config.read_text("utf-8") + (EXAMPLES / "sources.yaml").read_text("utf-8"), "utf-8")
    ticket = world.root / "tickets" / "shop" / "1.md"
    ticket.parent.mkdir(parents=True)

    def save(state: str) -> None:
        ticket.write_text(f"---\nkey: shop-1\nstate: {state}\nsummary: Sell\nowner: ann\n---\n")
        world.commit(state)
        world.settle()

    world.watch()
    for state in ("open", "At Work", "on review", "shipped"):
        save(state)
    want = {"SHOP-1": ["open>at_work", "at_work>on_review", "on_review>shipped"]}
    check(world, want)
    assert {one["payload"]["feature_slug"] for one in world.events()} == {"shop"}
    assert [one["payload"]["new_category"] for one in world.events()] == ["active", "review", "done"]
    assert [one["payload"]["agent_id"] for one in world.events("WPAssigned")] == ["ann"]
    world.replay_adds()
    converges(world, want)
