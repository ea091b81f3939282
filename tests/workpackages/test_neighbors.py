"""What the files of Backlog.md, spec-kit, OpenSpec, task-master and BMAD say, one by one and together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kittywatch.workpackages.lane_source import LaneSource, Stated, Unit
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.sources import DEFAULT

CONFIG = {"backlog/config.yml": 'project_name: "Demo"\nstatuses: ["To Do", "In Progress", "Done"]\n'}
TASKS_JSON = ".taskmaster/tasks/tasks.json"
SPRINT = "docs/sprint-status.yaml"


class Files:
    """The contents of some files, read by their source."""

    def __init__(self, source: LaneSource, files: Mapping[str, bytes]) -> None:
        self._said = {path: source.read(path, data, LaneNames()) for path, data in files.items()}

    def said(self, path: str) -> tuple[object, str]:
        return self._said[path], "fingerprint"

    def log(self, path: str) -> None:
        raise AssertionError(path)


def stated(files: Mapping[str, str | bytes]) -> Stated:
    """What some files of one unit say together."""
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    (unit,) = {DEFAULT.unit_of(path) for path in data}
    assert isinstance(unit, Unit)
    source = DEFAULT[unit]
    return source.together(unit, data, Files(source, data))  # type: ignore[arg-type]


def task(**fields: str) -> str:
    return "---\n" + "".join(f"{key}: {value}\n" for key, value in fields.items()) + "---\n\nDo it.\n"


def only(found: Stated) -> WorkPackage:
    (package,) = found.packages.values()
    return package


# Backlog.md.


def test_a_task() -> None:
    """Rule M1."""
    text = task(
        id="back-222",
        title="Do it",
        status="In Progress",
        assignee="\n  - '@ann'\n  - '@bob'",
        dependencies="[back-1, x y]",
    )
    package = only(stated({**CONFIG, "backlog/tasks/back-222 - Do-it.md": text}))
    assert (package.key, package.feature) == (("/backlog.md", "BACK-222"), "Demo")
    assert (package.lane, package.title, package.agent) == ("in_progress", "Do it", "@ann")
    assert package.dependencies == ("BACK-1",)
    assert [package.scheme.category(one) for one in package.scheme.lanes] == ["backlog", "active", "done"]


@pytest.mark.parametrize(
    ("text", "lane"),
    [
        (task(id="A-1", status="Done"), "done"),
        (task(id="A-1", status="'Terminé à moitié'"), "termine_a_moitie"),
        (task(id="A-1"), None),
        (task(id="A-1", status="[a, b]"), None),
    ],
)
def test_statuses(text: str, lane: str | None) -> None:
    assert only(stated({**CONFIG, "backlog/tasks/a.md": text})).lane == lane


def test_what_is_no_task() -> None:
    others = {"backlog/tasks/readme.md": "# Read me\n", "backlog/tasks/none.md": task(title="No id", status="Done")}
    assert stated({**CONFIG, **others}) == Stated({}, (), "Demo")


def test_no_backlog_without_its_configuration() -> None:
    assert stated({"backlog/tasks/a.md": task(id="A-1", status="Done")}).packages == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (task(id="A 1", status="Done"), "a.md:2: the id is none"),
        ("---\nid: A-1\n", "a.md:1: the frontmatter has no end"),
        ("---\nid: [\n---\n", "a.md:"),
        (b"---\n\xff\n---\n", "a.md:2: the file is not UTF-8"),
    ],
)
def test_a_broken_task_is_named(text: str | bytes, said: str) -> None:
    good = {"backlog/tasks/b.md": task(id="B-1", status="Done")}
    found = stated({**CONFIG, **good, "backlog/tasks/a.md": text})
    assert only(found).wp_id == "B-1"
    (fault,) = found.faults
    assert str(fault.problem).startswith(f"backlog/tasks/{said}")


def test_a_broken_configuration_is_named_and_the_tasks_count() -> None:
    files = {"backlog/config.yml": "statuses: [", "backlog/tasks/a.md": task(id="A-1", status="Done")}
    found = stated(files)
    assert only(found).lane == "done"
    assert str(found.faults[0].problem).startswith("backlog/config.yml:2: the settings are not usable")


def test_milestones_by_their_titles() -> None:
    """Rule M2."""
    milestone = {"backlog/milestones/m-0 - one.md": task(id="m-0", title="Release One")}
    tasks = {
        "backlog/tasks/a.md": task(id="A-1", status="Done", milestone="m-0"),
        "backlog/tasks/b.md": task(id="A-2", status="Done", milestone="v2"),
    }
    found = stated({**CONFIG, **milestone, **tasks})
    assert {key[1]: one.feature for key, one in found.packages.items()} == {"A-1": "Release-One", "A-2": "v2"}
    assert {key[0] for key in found.packages} == {"/backlog.md"}


def test_completed_is_done_and_archived_is_what_it_was() -> None:
    files = {
        "backlog/completed/a.md": task(id="A-1", status="In Progress"),
        "backlog/archive/tasks/b.md": task(id="A-2", status="In Progress"),
    }
    assert {one.wp_id: one.lane for one in stated({**CONFIG, **files}).packages.values()} == {
        "A-1": "done",
        "A-2": "in_progress",
    }


# Lists with boxes.


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("- [ ] T001 [P] [US1] Make it in src/a.py", ("T001", "planned", "Make it in src/a.py")),
        ("- [x] 1.1 Text", ("1.1", "done", "Text")),
        ("* [X] 10.2.3 Text", ("10.2.3", "done", "Text")),
        ("+ [ ] **1.1** Text", ("1.1", "planned", "Text")),
        ("- [ ] **T012: Text**", ("T012", "planned", "Text")),
        ("- [ ] 1.1. Text", ("1.1", "planned", "Text")),
        ("- [ ] 1.1 [a link](x)", ("1.1", "planned", "[a link](x)")),
        ("- [ ] T001", ("T001", "planned", "T001")),
        ("- [ ] Text", None),
        ("- [ ] 1 Text", None),
        ("- [ ] T001a Text", None),
        ("- [ ] v1.1 Text", None),
        ("  - [ ] 1.1 Text", None),
        ("- [-] 1.1 Text", None),
        ("1. [ ] 1.1 Text", None),
        ("> - [ ] 1.1 Text", None),
        (f"- [ ] T{'0' * 40} Text", None),
    ],
)
def test_an_item(line: str, expected: tuple[str, str, str] | None) -> None:
    """Rule C1."""
    found = stated({"specs/001-a/tasks.md": f"# Tasks\n\n{line}\n"}).packages
    assert [(one.wp_id, one.lane, one.title) for one in found.values()] == ([expected] if expected else [])


def test_fenced_items_are_none() -> None:
    text = "- [ ] 1.1 a\n```md\n- [ ] 1.2 b\n~~~\n```\n- [ ] 1.3 c\n~~~~\n- [ ] 1.4 d\n~~~\n"
    found = stated({"openspec/changes/add-x/tasks.md": text})
    assert [one.wp_id for one in found.packages.values()] == ["1.1", "1.3"]


def test_a_change_that_is_archived_beside_one_at_work() -> None:
    files = {
        "openspec/changes/archive/2026-01-01-add-x/tasks.md": "- [ ] 1.1 old\n- [x] 1.3 older\n",
        "openspec/changes/archive/2026-02-01-add-x/tasks.md": "- [x] 1.2 newer\n- [ ] 1.3 newer\n",
        "openspec/changes/add-x/tasks.md": "- [x] 1.1 at work\n",
    }
    found = stated(files)
    assert {one.wp_id: (one.lane, one.title) for one in found.packages.values()} == {
        "1.1": ("done", "at work"),
        "1.2": ("done", "newer"),
        "1.3": ("planned", "newer"),
    }
    assert {one.feature for one in found.packages.values()} == {"add-x"}
    assert found.faults == ()


# Records.


def test_tasks_by_tag() -> None:
    """Rule K1."""
    text = """{"master": {"tasks": [
        {"id": 1, "title": "One", "status": "in-progress", "dependencies": [2, "3"],
         "subtasks": [{"id": 1, "title": "S", "status": "done", "dependencies": [2]}, {"id": "1.2", "status": "review"}
          ]},
        {"id": true}, {"title": "no id"}, "nonsense", {"id": "2", "status": 7}]},
      "next": {"tasks": [{"id": 1, "title": "Other", "status": "deferred"}]}, "metadata": 3}"""
    found = stated({TASKS_JSON: text}).packages
    assert {key: (one.lane, one.dependencies) for key, one in found.items()} == {
        ("master", "1"): ("in_progress", ("2", "3")),
        ("master", "1.1"): ("done", ("1.2",)),
        ("master", "1.2"): ("review", ()),
        ("master", "2"): (None, ()),
        ("next", "1"): ("deferred", ()),
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{\n  broken", 2),
        ("{\n", 1),
        ('{"a": 1\n,\n', 2),
        (f'{{"tasks": [{{"id": {"9" * 5000}}}]}}', 1),
        ('{"a": "\\ud800"}', 1),
        ("[]", 1),
        ("[" * 100_000, 1),
        (b"\xff", 1),
        ('{\n"a": 1,\n}', 3),
    ],
)
def test_broken_tasks_are_named(text: str | bytes, line: int) -> None:
    found = stated({TASKS_JSON: text})
    assert found.packages == {}
    assert found.faults[0].problem.line == line


def test_a_record_twice() -> None:
    found = stated({TASKS_JSON: '{"tasks": [{"id": 1, "status": "done"}, {"id": "1", "status": "pending"}]}'})
    assert only(found).lane == "done"
    assert "1 is already the id of another one" in str(found.faults[0].problem)


def test_stories_by_epic() -> None:
    """Rule K2."""
    long = "2-1-a-story-with-a-name-that-is-longer-than-an-id-may-be"
    text = (
        "generated: 2026-01-01\ndevelopment_status:\n  epic-1: in-progress\n  1-1-sign-in: done\n"
        f"  1-2-sign-out: ready-for-dev # next\n  {long}: backlog\n  epic-1-retrospective: optional\n"
    )
    found = stated({SPRINT: text}).packages
    assert {key: one.lane for key, one in found.items()} == {
        ("epic-1", "1-1-sign-in"): "done",
        ("epic-1", "1-2-sign-out"): "ready_for_dev",
        ("epic-2", long[:40].rstrip("-")): "backlog",
    }


@pytest.mark.parametrize("text", ["development_status: [", "- a\n- b\n", "&a x: *a\n"])
def test_a_broken_sprint_is_named(text: str) -> None:
    found = stated({SPRINT: text})
    assert found.packages == {}
    assert len(found.faults) == 1
