"""The table of moves, and what a move does to the files of a real project."""

from __future__ import annotations

import difflib
import lzma
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kittywatch.project import Project
from kittywatch.workflow import moves
from kittywatch.workflow.feature import Feature, list_features
from kittywatch.workflow.moves import Move, Signature
from kittywatch.workflow.rules import MOVES, refusal
from kittywatch.workflow.workspace import Workspace
from kittywatch.workpackages.lanes import LANES, Lane
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import FEATURE, PATH

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


@pytest.mark.parametrize("lane", LANES.values())
@pytest.mark.parametrize("to", LANES.values())
def test_the_table(lane: Lane, to: Lane) -> None:
    package = WorkPackage(FEATURE, "WP01", PATH, lane, (), "Title")
    assert (refusal(package, to, []) is None) == (to in MOVES[lane])
    if lane == "planned" and to == "doing":
        assert refusal(package, to, ["WP02"]) == "WP01 depends on WP02, which is not done"


def test_done_is_left_by_force_alone() -> None:
    assert MOVES["done"] == ()
    assert MOVES["planned"] == ("doing",)


class Edited:
    """What a command has done to the files of a project, as lines of a diff."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before = self._read()

    def lines(self) -> list[str]:
        """Every removed and added line since the last call."""
        before, self._before = self._before, self._read()
        assert before.keys() == self._before.keys()
        found: list[str] = []
        for path, data in self._before.items():
            old, new = (text.decode().splitlines(keepends=True) for text in (before[path], data))
            found += [line for line in difflib.unified_diff(old, new, n=0) if line[:3] not in ("---", "+++", "@@ ")]
        return found

    def _read(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(self._root.rglob("*.md"))}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A checkout of a real project's work packages."""
    root = tmp_path / "corpus"
    stream = CORPUS / "spec-kitty-events.fast-export.xz"
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    data = lzma.decompress(stream.read_bytes())
    subprocess.run(["git", "fast-import", "--quiet"], cwd=root, input=data, check=True)
    subprocess.run(["git", "reset", "-q", "--hard", "main"], cwd=root, check=True)
    project = Project.find(root, lambda text: None)
    yield Workspace(project, "test", root)
    project.store.close()


@pytest.mark.beside(CORPUS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_every_command_on_every_file_of_a_real_project(workspace: Workspace, line_end: bytes) -> None:
    """The diff shows the lane's line, its record, and what the command is for; CRLF files stay CRLF.

    Every other feature with each of the line ends: what counts is every file, not every file twice.
    """
    specs = workspace.root / "kitty-specs"
    if line_end != b"\n":
        for path in specs.rglob("*.md"):
            path.write_bytes(path.read_bytes().replace(b"\n", line_end))
    count = 0
    for number, slug in enumerate(list_features(workspace.root)):
        if number % 2 == (line_end == b"\n"):
            continue
        feature = workspace.load(slug)
        edited = Edited(specs / slug)
        for wp_id in sorted(feature.packages):
            _commands(workspace, feature, wp_id, edited)
            count += 1
    assert count > 30
    if line_end != b"\n":
        assert all(b"\n" not in path.read_bytes().replace(line_end, b"") for path in specs.rglob("*.md"))


def _commands(workspace: Workspace, feature: Feature, wp_id: str, edited: Edited) -> None:
    ada, notes = Signature("ada", shell_pid="7"), Signature("ada", "a word")
    steps: list[tuple[str, Callable[[], object], list[str]]] = [
        ("planned", lambda: _move(workspace, feature, wp_id, "planned", Signature()), ["lane:"]),
        ("doing", lambda: _move(workspace, feature, wp_id, "doing", ada), ["lane:", "agent:", "shell_pid:"]),
        ("doing", lambda: moves.add_history(workspace, feature, wp_id, notes), []),
        ("for_review", lambda: _move(workspace, feature, wp_id, "for_review", Signature()), ["lane:"]),
        ("done", lambda: _move(workspace, feature, wp_id, "done", Signature(signed="bob")), ["lane:"]),
    ]
    for lane, act, fields in steps:
        act()
        lines = edited.lines()
        allowed = (*fields, "- 20", "## Activity Log")
        assert [line for line in lines if line[1:].strip() and not line[1:].startswith(allowed)] == [], (
            feature.slug,
            wp_id,
        )
        records = [line for line in lines if line.startswith("+- 20")]
        # Of a file that is in that lane already nothing is changed.
        assert len(records) == (1 if lines else 0)
        assert all(f" lane={lane} – " in line for line in records)


def _move(workspace: Workspace, feature: Feature, wp_id: str, to: Lane, signature: Signature) -> None:
    moves.move(workspace, feature, [wp_id], Move(to, f"Moved to {to}", signature, force=True))
