"""A project in good health, and the doctor, both in this process where that makes no difference."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kittywatch.cli.main import main
from kittywatch.doctor.checks import CHECKS
from tests.scenarios.world import Clone

PROGRAM = [sys.executable, "-P", "-m", "kittywatch.cli.main"]
TOPICS = {check.topic for check in CHECKS}


class Clinic(Clone):
    """A project with hooks in which nothing is wrong, and what the doctor finds there."""

    def __init__(self, directory: Path, path: str) -> None:
        super().__init__(directory / "project ü", directory / "home")
        self.search_path = path
        self.root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.write("planned")
        self.run("init")
        self.commit("start")
        self.run("hooks", "install")
        self.move("doing")

    def run(self, *command: str, check: bool = True, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run kittywatch in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            before = dict(os.environ)
            os.environ.update({"PATH": self.search_path, "SPEC_KITTY_HOME": str(self.home)})
            try:
                main(list(command))
            except SystemExit as stop:
                done = subprocess.CompletedProcess(command, int(stop.code or 0), out.getvalue(), err.getvalue())
            finally:
                os.environ.clear()
                os.environ.update(before)
        assert not check or done.returncode == 0, done.stderr
        return done

    def doctor(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("doctor", *options, check=False)

    def found(self, *options: str) -> list[dict[str, Any]]:
        """The findings; the exit code is 1 exactly while some are not mended."""
        done = self.doctor("--json", *options)
        findings: list[dict[str, Any]] = json.loads(done.stdout)
        assert done.returncode == int(any(one["fixed"] is None for one in findings)), done.stderr
        for one in findings:
            assert one["topic"] in TOPICS
            assert one["finding"]
            assert one["remedy"]
            assert "\n" not in one["finding"] + one["remedy"]
        return findings

    def only(self, topic: str, part: str) -> dict[str, Any]:
        """The one finding that there is."""
        findings = self.found()
        assert [one["topic"] for one in findings] == [topic], findings
        assert part in findings[0]["finding"]
        return findings[0]

    def mended(self, topic: str, part: str) -> str:
        """The one finding is mended by --fix, which says how, and then nothing is wrong; returns what it says."""
        assert self.only(topic, part)["fixable"]
        fixed = self.found("--fix")
        assert [one["topic"] for one in fixed] == [topic]
        assert fixed[0]["fixed"]
        assert self.found() == []
        return str(fixed[0]["fixed"])

    def not_mended(self, topic: str, part: str) -> dict[str, Any]:
        """The one finding is not for --fix to mend."""
        finding = self.only(topic, part)
        assert not finding["fixable"]
        assert self.found("--fix") == [finding]
        return finding


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    # The tests' own environment may have two of a script.
    programs = tmp_path / "programs"
    programs.mkdir()
    for directory in reversed(os.environ["PATH"].split(os.pathsep)):
        git = Path(directory) / "git"
        if git.exists():
            (programs / "git").unlink(missing_ok=True)
            (programs / "git").symlink_to(git)
    clinic = Clinic(tmp_path / "world", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert clinic.found() == []
    return clinic
