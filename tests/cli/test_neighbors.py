"""Commands in a project of the neighbors: what was found, what is checked, whose commands are whose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.history.script import Repository
from tests.scenarios.neighbors import TOOLS, BacklogMd, Tool
from tests.scenarios.world import Clone


def write(repository: Repository, *tools: Tool) -> None:
    """The files of some tools, committed."""
    for tool in tools:
        tool.save(Clone(repository.root, repository.root.parent / "home"), A=0, B=0)
    repository.commit("01-02")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository) -> Repository:
    """A project without a work package."""
    repository.git("rm", "-q", "-r", "kitty-specs")
    repository.git("commit", "-q", "-m", "none")
    return repository


def test_init_says_which_sources_it_has_found(kittywatch: Command, repository: Repository) -> None:
    write(repository, *TOOLS)
    said = kittywatch("init").err
    for what in (
        "found spec-kitty: 1 work package (001-login)",
        "found backlog.md: 2 work packages (Demo)",
        "found spec-kit: 2 work packages (003-photos)",
        "found openspec: 2 work packages (add-photos)",
        "found task-master: 3 work packages (master)",
        "found bmad: 2 work packages (epic-1)",
        "12 work packages taken in silently",
    ):
        assert what in said
    sources = json.loads(kittywatch("init", "--json").out)["sources"]
    assert {one["name"]: one["work_packages"] for one in sources}["task-master"] == 3
    assert {one["reader"] for one in sources} == {"spec-kitty", "markdown", "checklist", "records"}


def test_init_where_nothing_is(kittywatch: Command, empty: Repository) -> None:
    assert "no lane source has a work package here yet" in kittywatch("init").err


def test_the_board_shows_them_all(kittywatch: Command, repository: Repository) -> None:
    write(repository, *TOOLS)
    rows = [line.split("\t")[:3] for line in kittywatch("board").out.splitlines()]
    assert ["Demo", "BACK-2.1", "to_do"] in rows
    assert ["003-photos", "T001", "planned"] in rows
    assert ["epic-1", "1-1-sign-in", "backlog"] in rows
    assert len(rows) == 12


def test_the_configuration_turns_off_and_adds(kittywatch: Command, repository: Repository) -> None:
    write(repository, *TOOLS)
    kittywatch("init")
    config = repository.root / ".kittify" / "config.yaml"
    more = "sources:\n  records: off\n  mine: {reader: markdown, files: ['notes/{feature}/*.md']}\n  odd: 3\n"
    config.write_text(config.read_text("utf-8") + more)
    (repository.root / "notes" / "one").mkdir(parents=True)
    (repository.root / "notes" / "one" / "n.md").write_text("---\nid: N-1\nstatus: Done\n---\n")
    done = kittywatch("board")
    features = {line.split("\t")[0] for line in done.out.splitlines()}
    assert features == {"001-login", "Demo", "003-photos", "add-photos", "one"}
    assert ".kittify/config.yaml: sources: 'odd': neither `off` nor a mapping" in done.err


@pytest.mark.parametrize("command", [("implement", "WP01"), ("accept",), ("merge",), ("orchestrate", "--dry-run")])
def test_workflow_commands_say_whose_they_are(kittywatch: Command, empty: Repository, command: tuple[str, ...]) -> None:
    write(empty, BacklogMd())
    kittywatch("init")
    done = kittywatch(*command)
    assert done.code != 0
    assert "for spec-kitty's alone; here is backlog.md" in done.err
    assert "with backlog.md's own commands" in done.err


def test_check_before_a_commit(kittywatch: Command, repository: Repository) -> None:
    write(repository, *TOOLS)
    (repository.root / "backlog/tasks/twin.md").write_text("---\nid: BACK-1\nstatus: Done\n---\n")
    (repository.root / ".taskmaster/tasks/tasks.json").write_text("{\n")
    (repository.root / "_bmad-output/implementation-artifacts/sprint-status.yaml").write_text("a: [\n")
    tasks = repository.root / "specs/003-photos/tasks.md"
    tasks.write_text(tasks.read_text("utf-8") + "- [ ] T001 again\n")
    repository.git("add", "-A")
    done = kittywatch("hooks", "check")
    assert done.code == 1
    for what in (
        "backlog/tasks/twin.md:1: BACK-1 is already the id of",
        ".taskmaster/tasks/tasks.json:1: the file is no JSON",
        "sprint-status.yaml:2: the file is not usable",
        ": T001 is already the id of line 5, which counts",
    ):
        assert what in done.out + done.err


def test_check_where_all_is_well(kittywatch: Command, repository: Repository) -> None:
    for tool in TOOLS:
        tool.save(Clone(repository.root, repository.root.parent / "home"), A=0, B=0)
    repository.git("add", "-A")
    assert kittywatch("hooks", "check").code == 0
