"""Every command with --help, with wrong arguments, without a repository, a home, a disk, a reader.

The commands are found by walking the command line; a new one is covered by being there.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.builders import work_package_text
from tests.everywhere.commands import arguments_for, names, walk
from tests.everywhere.runner import Case, Outcome, Stdout
from tests.history.script import Repository

ROOT = Path(__file__).parents[2]
USER = "54321"
DONE, FAILED, USAGE, BUG, AUTHENTICATION = range(5)
NAMES = names()
# Commands that have nothing to do with a repository: they may do their work outside of one.
ANYWHERE = (
    "auth ",
    "completion",
    "demo",
    "doctor",
    "events ",
    "explain",
    "hooks run",
    "hub ",
    "queue ",
    "sync now",
    "sync status",
)
Cases = Callable[..., list[Case]]


def run(cases: list[Case], *before: str) -> dict[str, Outcome]:
    """Run cases in one process that forks, started by the command line `before`."""
    done = subprocess.run(
        [*before, sys.executable, "-P", "-m", "tests.everywhere.runner"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps([asdict(case) for case in cases]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {fields["name"]: Outcome(**fields) for fields in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository with work packages, and without git's examples of hooks."""
    root = tmp_path_factory.mktemp("template") / "project"
    repository = Repository(root)
    for path in (root / ".git" / "hooks").iterdir():
        path.unlink()
    for day, lane in enumerate(("planned", "doing"), start=1):
        repository.commit(f"03-0{day}", files={"kitty-specs/001-a/tasks/WP01.md": work_package_text(lane=lane)})
    return root


@pytest.fixture(scope="module")
def cases(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Makes a case of each command; each has a directory and a home of its own."""

    def make(
        *,
        add: list[str] | None = None,
        replaced: bool = False,
        template: Path = project,
        inside: Path | None = None,
        environment: dict[str, str | None] | None = None,
        stdout: Stdout = "file",
    ) -> list[Case]:
        base = inside or tmp_path_factory.mktemp("places")
        said = tmp_path_factory.mktemp("said")
        made = []
        for number, (name, command) in enumerate(walk()):
            home = str(base / f"home{number}")
            made.append(
                Case(
                    name=name,
                    arguments=[*(name.split() if replaced else arguments_for(name, command)), *(add or [])],
                    template=str(template),
                    place=str(base / f"place{number}"),
                    said=str(said / str(number)),
                    environment={"SPEC_KITTY_HOME": home, "HOME": home, **(environment or {})},
                    stdout=stdout,
                )
            )
        return made

    return make


def sane(outcome: Outcome) -> None:
    """No trace, no bug, no signal; what failed is said in one line, with its remedy in the next."""
    assert outcome.code in (DONE, FAILED, USAGE, AUTHENTICATION), outcome
    for text in ("Traceback", "has a bug", "Exception ignored"):
        assert text not in outcome.out + outcome.err, outcome
    lines = outcome.err.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    assert len(errors) <= 1, outcome
    if errors:
        assert outcome.code in (FAILED, AUTHENTICATION), outcome
        assert lines[errors[0] + 1].startswith("  "), outcome
    elif outcome.code in (FAILED, AUTHENTICATION):
        assert lines, outcome


def each(outcomes: dict[str, Outcome], check: Callable[[Outcome], None]) -> None:
    """Check every command's outcome; all that fail are named, not the first alone."""
    assert outcomes.keys() == set(NAMES)
    wrong = []
    for outcome in outcomes.values():
        try:
            check(outcome)
        except AssertionError as error:
            wrong.append(f"{outcome.name}: {str(error).splitlines()[:1]} {outcome}")
    assert not wrong, "\n".join(wrong)


def test_help(cases: Cases) -> None:
    """On stdout, with what it is for and an example."""

    def check(outcome: Outcome) -> None:
        assert (outcome.code, outcome.err, outcome.left) == (DONE, "", [])
        assert outcome.out.startswith(f"Usage: kittywatch {outcome.name} ")
        assert f"kittywatch {outcome.name}" in outcome.out.partition("\n")[2], "there is no example"

    each(run(cases(add=["--help"], replaced=True)), check)


def test_wrong_arguments(cases: Cases) -> None:
    """2, said on stderr with the usage; `hooks run` takes whatever git gives it."""

    def check(outcome: Outcome) -> None:
        if outcome.name == "hooks run":
            return
        assert (outcome.code, outcome.out, outcome.left) == (USAGE, "", [])
        assert outcome.err.startswith(f"Usage: kittywatch {outcome.name} ")
        assert "no-such-option" in outcome.err

    each(run(cases(add=["--no-such-option"])), check)


@pytest.mark.long
def test_no_repository(cases: Cases, tmp_path: Path) -> None:
    """1 with its remedy, unless it has nothing to do with one; nothing is left there."""

    def check(outcome: Outcome) -> None:
        sane(outcome)
        if not outcome.name.startswith(ANYWHERE):
            assert (outcome.code, outcome.out, outcome.left) == (FAILED, "", [])
            assert "is not in a git repository" in outcome.err

    (tmp_path / "empty").mkdir()
    each(run(cases(template=tmp_path / "empty")), check)


@pytest.mark.long
def test_no_home(cases: Cases) -> None:
    """Of a user whom the machine doesn't know, as in a container: no HOME, no entry in passwd."""

    def check(outcome: Outcome) -> None:
        sane(outcome)
        assert not [path for path in outcome.left if "~" in path]

    someone = ("unshare", "-U", f"--map-user={USER}", f"--map-group={USER}")
    if subprocess.run([*someone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces can't be had here")
    outcomes = run(cases(environment={"SPEC_KITTY_HOME": None, "HOME": None}), *someone)
    each(outcomes, check)
    assert outcomes["init"].code == FAILED
    assert "has no home directory" in outcomes["init"].err


@pytest.mark.long
def test_a_home_that_cannot_be_made(cases: Cases) -> None:
    outcomes = run(cases(environment={"SPEC_KITTY_HOME": None, "HOME": "/dev/null"}))
    each(outcomes, sane)
    assert outcomes["init"].code == FAILED


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system without a free byte, and directories on it; only root can mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a file system")
    try:
        for number in range(len(NAMES)):
            (place / f"home{number}").mkdir()
        with (place / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.long
def test_a_full_disk(cases: Cases, full_disk: Path) -> None:
    """What is told nowhere is no success."""
    made = cases()
    for number, case in enumerate(made):
        home = str(full_disk / f"home{number}")
        case.environment.update({"SPEC_KITTY_HOME": home, "HOME": home, "TMPDIR": str(full_disk)})
    outcomes = run(made)
    each(outcomes, sane)
    assert outcomes["init"].code == FAILED
    assert "make room on the disk" in outcomes["init"].err


@pytest.mark.parametrize(
    ("stdout", "said"),
    [
        pytest.param("closed", "stdout takes nothing: it is closed", marks=pytest.mark.long),
        ("broken", ""),
        pytest.param("full", "stdout takes nothing: No space left", marks=pytest.mark.long),
    ],
)
def test_a_stdout_that_takes_nothing(cases: Cases, stdout: Stdout, said: str) -> None:
    """What has something to print fails; that a reader has gone, as `head` does, is no matter of words."""

    def check(outcome: Outcome) -> None:
        if stdout != "broken" or outcome.code != FAILED or outcome.err:
            sane(outcome)

    outcomes = run(cases(stdout=stdout))
    each(outcomes, check)
    for name in ("board", "completion", "events schema"):  # the last of them prints more than a buffer holds
        assert outcomes[name].code == FAILED
        assert said in outcomes[name].err
        assert bool(outcomes[name].err) == bool(said)
    assert outcomes["init"].code == DONE, "it has nothing to print"
