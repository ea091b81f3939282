"""The command line itself: names, help, options for all commands, usage errors."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from kittywatch import __version__
from kittywatch.cli.foreign import OURS
from kittywatch.cli.main import COMMANDS
from tests.cli.conftest import Command
from tests.history.script import Repository


def test_version_and_help(kittywatch: Command) -> None:
    """Data goes to stdout."""
    assert kittywatch("--version").out == f"kittywatch, version {__version__}\n"
    for option in ("--help", "-h"):
        done = kittywatch(option)
        assert (done.code, done.err) == (0, "")
        for command in COMMANDS:
            assert f"  {command} " in done.out


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(kittywatch: Command, command: str) -> None:
    done = kittywatch(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: kittywatch {command} ")


@pytest.mark.parametrize("where", sorted(COMMANDS.values()))
def test_every_command_is_there(where: str) -> None:
    module, name = where.split(":")
    assert isinstance(getattr(importlib.import_module(module), name), click.Command)


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["--nothing"], ["log", "--nothing"], ["log", "-n", "0"], ["log", "more"], ["emit", "x"]]
)
def test_usage_errors(kittywatch: Command, repository: Repository, arguments: list[str]) -> None:
    """2: said on stderr, with nothing on stdout."""
    done = kittywatch(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: kittywatch")
    assert "Error: " in done.err


def test_an_unknown_command_of_spec_kitty(kittywatch: Command) -> None:
    """Where spec-kitty-cli isn't installed either: a usage error that says so."""
    done = kittywatch("specify", "--all", name="spec-kitty")
    assert (done.code, done.out) == (2, "")
    assert "no command 'specify' in kittywatch" in done.err
    assert "spec-kitty-cli" in done.err
    assert "not installed" in done.err


def test_known_commands_under_the_other_name(kittywatch: Command, repository: Repository) -> None:
    assert kittywatch("log", name="spec-kitty").code == 0
    assert kittywatch("log", "--nothing", name="spec-kitty").err.startswith("Usage: spec-kitty log")
    assert kittywatch("--nothing", name="spec-kitty").code == 2


def _beside(directory: Path, body: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `spec-kitty` of ours beside a distribution whose script of that name runs `body`."""
    (directory / "specify_cli.py").write_text(f"import sys\n{body}", encoding="utf-8")
    about = directory / "spec_kitty_cli-9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: spec-kitty-cli\nVersion: 9\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[console_scripts]\nspec-kitty = specify_cli:main\n", encoding="utf-8")
    program = "import sys; sys.argv[0] = 'spec-kitty'; from kittywatch.cli.main import main; main()"
    environment = os.environ | {"PYTHONPATH": str(directory)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_command_goes_on_to_spec_kitty_cli(tmp_path: Path) -> None:
    """With all its arguments and options, and its exit code comes back; also one that both have, or a group."""
    run = _beside(tmp_path, "def main():\n    print(sys.argv)\n    sys.exit(7)\n")
    for arguments in (
        ["specify", "--help", "-x", "a b"],
        ["agent", "tasks", "move-task", "WP01", "--to", "for_review"],
        ["implement", "WP01"],
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (7, f"{['spec-kitty', *arguments]}\n", "")
    assert run("-q", "specify").stdout == "['spec-kitty', 'specify']\n"


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        ("return None", 0, ""),
        ("return 4", 4, ""),
        ("sys.exit('why not')", 1, "why not\n"),
        ("raise ValueError('theirs')", 1, "ValueError: theirs\n"),
    ],
)
def test_how_spec_kitty_cli_ends(tmp_path: Path, ends: str, code: int, said: str) -> None:
    done = _beside(tmp_path, f"def main():\n    {ends}\n")("specify")
    assert done.returncode == code
    assert done.stderr.endswith(said)
    assert "kittywatch has a bug" not in done.stderr


def test_commands_that_are_ours_beside_spec_kitty_cli(tmp_path: Path) -> None:
    """`watch` and its kin always, whatever the other has; the others where the other doesn't know them."""
    body = (
        "import click\napp = click.Group(commands={'doctor': click.Command('doctor')})\n"
        "def main():\n    sys.exit('theirs')\n"
    )
    run = _beside(tmp_path, body)
    for name in [*sorted(OURS & COMMANDS.keys()), "uninstall", "orchestrate"]:
        assert run(name, "--help").stdout.startswith(f"Usage: spec-kitty {name}")
    assert run("doctor", "--help").stderr == "theirs\n"
    assert run("specify").stderr == "theirs\n"


def test_the_versions_of_both(tmp_path: Path) -> None:
    run = _beside(tmp_path, "")
    assert run("--version").stdout == f"spec-kitty-cli version 9\nkittywatch, version {__version__}\n"


def test_another_directory(
    kittywatch: Command, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-C runs as if started there; a directory that isn't there is a usage error."""
    monkeypatch.chdir(tmp_path)
    assert kittywatch("log").code == 1
    assert kittywatch("-C", repository.root / "kitty-specs", "log").code == 0
    monkeypatch.chdir(tmp_path)
    done = kittywatch("-C", tmp_path / "none", "log")
    assert done.code == 2
    assert "No such file or directory" in done.err


def test_quiet(kittywatch: Command, repository: Repository) -> None:
    """-q: nothing but errors and what was asked for."""
    assert kittywatch("log").err != ""
    done = kittywatch("-q", "log")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert kittywatch("-q", "emit", "replay", "nothing").err.startswith("error: ")


def test_colours(kittywatch: Command, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """None where nobody looks, or with NO_COLOR; --color outweighs both."""
    failing = ("emit", "replay", "nothing")
    assert "\x1b" not in kittywatch(*failing).err
    assert "\x1b[31merror: " in kittywatch("--color", "always", *failing).err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in kittywatch(*failing).err
    assert "\x1b[31merror: " in kittywatch("--color", "always", *failing).err
    assert "\x1b" not in kittywatch("--color", "never", *failing).err


def test_verbose_shows_where_an_error_came_from(kittywatch: Command, repository: Repository) -> None:
    assert "Traceback" not in kittywatch("emit", "replay", "nothing").err
    assert "Traceback" in kittywatch("-v", "emit", "replay", "nothing").err


@pytest.mark.parametrize("command", [["init"], ["log"], ["sync", "opt-out"], ["emit", "replay"]])
def test_not_a_repository(
    kittywatch: Command, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """1, with its remedy; nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = kittywatch(*command)
    assert (done.code, done.out) == (1, "")
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert "is not in a git repository with a worktree" in first
    assert "git init" in second
    assert not (own_home / ".spec-kitty").exists()
    assert list(tmp_path.iterdir()) == [own_home]


def test_git_is_not_installed(
    kittywatch: Command, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = kittywatch("log")
    assert done.code == 1
    assert "git is not installed" in done.err


def test_python_m(repository: Repository) -> None:
    """The module can be run, as hooks do with the interpreter they were installed with."""
    command = [sys.executable, "-m", "kittywatch.cli.main", "log"]
    done = subprocess.run(command, cwd=repository.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
