"""The one place where errors become exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kittywatch.cli.boundary import run
from kittywatch.errors import KittywatchError, NotAProjectError
from tests.history.script import Repository


def failing(error: BaseException) -> click.Command:
    """A command that raises an error."""

    def fail() -> None:
        raise error

    return click.Command("failing", callback=fail)


def test_done() -> None:
    """0, or the number that a command returns."""
    assert run(click.Command("x", callback=lambda: None), []) == 0
    assert run(click.Command("x", callback=lambda: 4), []) == 4
    assert run(click.Command("x", callback=lambda: "text"), []) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KittywatchError("it went wrong", remedy="mend it"), 1, "error: it went wrong\n  mend it\n"),
        (NotAProjectError(Path("/tmp/\x1b[2J")), 1, "/tmp/\\u001b[2J is not in a git repository"),
        (click.UsageError("used wrongly"), 2, "Error: used wrongly"),
        (click.BadParameter("not that"), 2, "not that"),
        (click.ClickException("failed"), 1, "Error: failed"),
        (click.Abort(), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.exceptions.Exit(4), 4, ""),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str) -> None:
    """1 expected, 2 usage, 130 interrupted; all said on stderr."""
    assert run(failing(error), []) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("home_exists", [True, False])
def test_a_bug_leaves_a_report(
    capsys: pytest.CaptureFixture[str],
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home_exists: bool,
) -> None:
    """3: a file for its owner's eyes, in the home or where temporary files go, with the trace and no content."""
    directory = own_home / ".spec-kitty"
    if home_exists:
        directory.mkdir()
    else:
        directory = tmp_path / "temporary"
        directory.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(directory))
    arguments = ["emit", "replay", "secret-branch", "--feature", "secret-feature"]
    command = click.Command("x", callback=_buggy, context_settings={"ignore_unknown_options": True})
    command.params.append(click.Argument(["rest"], nargs=-1))
    assert run(command, arguments) == 3
    (report,) = directory.glob("kittywatch-bug-*.txt")
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text(encoding="utf-8")
    assert "secret" not in text
    assert "command: emit replay\n" in text
    assert "_buggy" in text
    assert text.rstrip().endswith("ZeroDivisionError")
    said = capsys.readouterr()
    assert said.out == ""
    assert str(report) in said.err
    assert "secret" not in said.err
    assert "Traceback" not in said.err


def _buggy(rest: tuple[str, ...]) -> None:
    raise ZeroDivisionError(rest)


def test_a_reader_that_has_gone(repository: Repository) -> None:
    """`| head`: no traceback, no complaint, no report; more than a pipe holds is on its way."""
    big = "x" * 200_000
    repository.commit("02-04", files={"kitty-specs/001-login/tasks/WP02.md": f"---\nlane: doing\ntitle: {big}\n---\n"})
    command = [sys.executable, "-m", "kittywatch.cli.main", "-q", "emit", "replay", "--json"]
    process = subprocess.Popen(command, cwd=repository.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() in (0, 1)
    assert said == b""
    assert list(Path(os.environ["SPEC_KITTY_HOME"]).glob("kittywatch-bug-*")) == []
    again = subprocess.run(command, cwd=repository.root, capture_output=True, check=True)
    assert again.stdout == b"", "what was told stays told, though nobody read it"
