"""kittywatch and the real spec-kitty-cli 3.2.7 in one environment, which have a script `spec-kitty` each."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from kittywatch.workflow.upstream import COMMANDS
from tests.spec_kitty.conftest import PROJECT, RELEASE, install

pytestmark = pytest.mark.long  # a program of others

# One command line a line of standard input; tells for each which of its words spec-kitty-cli doesn't know.
_SCRIPT = """
import json, sys
from specify_cli import app
from typer.main import get_command
unknown = []
for line in sys.stdin:
    command, words = get_command(app), line.split()
    while words and getattr(command, "commands", None):
        command = command.commands[words.pop(0)]
    known = {name for one in command.params for name in one.opts}
    unknown.append([word for word in words if word.startswith("-") and word not in known])
print(json.dumps(unknown))
"""


def _run(programs: Path, *command: str, where: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    return subprocess.run(
        [str(programs / program), *arguments], cwd=where, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def _check_refusals(programs: Path) -> None:
    """What our commands say to call in their place is there, with its options."""
    lines = "".join(f"{line.format(slug='x', wp='WP01')}\n" for line in COMMANDS.values())
    done = subprocess.run(
        [str(programs / "python"), "-c", _SCRIPT], input=lines, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [[] for _ in COMMANDS]


@pytest.mark.timeout(1200)
def test_whichever_was_installed_last(both: Path, tmp_path: Path) -> None:
    """Ours has the commands of both. Where it is theirs, or gone with theirs, `kittywatch` is there, and says so."""
    said = _run(both, "spec-kitty", "--version", where=tmp_path).stdout
    assert said == f"{RELEASE.replace('==', ' version ')}\nkittywatch, version {version('kittywatch')}\n"
    for ours in ("watch", "orchestrate"):
        assert f"Usage: spec-kitty {ours}" in _run(both, "spec-kitty", ours, "--help", where=tmp_path).stdout
    theirs = _run(both, "spec-kitty", "agent", "tasks", "--help", where=tmp_path)
    assert (theirs.returncode, "list-dependents" in theirs.stdout) == (0, True)
    refused = _run(both, "spec-kitty", "accept", "--nothing", where=tmp_path)
    assert refused.returncode == 2
    assert "spec-kitty accept --help" in refused.stderr
    assert "programs:" not in _run(both, "kittywatch", "doctor", where=tmp_path).stdout

    _check_refusals(both)

    install(both, "--force-reinstall", "--no-deps", RELEASE)
    assert "No such command" in _run(both, "spec-kitty", "watch", where=tmp_path).stderr
    found = _run(both, "kittywatch", "doctor", where=tmp_path).stdout
    assert f"programs: {both / 'spec-kitty'} is that of spec-kitty-cli, installed after kittywatch" in found
    assert "Usage: kittywatch watch" in _run(both, "kittywatch", "watch", "--help", where=tmp_path).stdout

    (both / "spec-kitty").unlink()  # as `pip uninstall spec-kitty-cli` does
    assert f"programs: spec-kitty is gone from {both}" in _run(both, "kittywatch", "doctor", where=tmp_path).stdout
    install(both, "--force-reinstall", "--no-deps", str(PROJECT))
    assert "programs:" not in _run(both, "kittywatch", "doctor", where=tmp_path).stdout
