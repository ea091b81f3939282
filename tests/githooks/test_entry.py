"""The entry point of installed hooks, those of older versions too: whatever happens, git goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.githooks import installation
from tests.githooks.hooked import Repository, needs, put


@pytest.fixture
def installed(repository: Repository) -> Repository:
    repository.install()
    return repository


def _call(repository: Repository, module: bytes) -> None:
    """Have the hooks call a module, as those of another version do."""
    for name in installation.HOOKS:
        path = repository.hooks / name
        content = path.read_bytes()
        assert b"from kittywatch.githooks.entry import main" in content
        path.write_bytes(content.replace(b"kittywatch.githooks.entry", module))


def test_hooks_of_an_older_version_go_on_observing_until_they_are_updated(installed: Repository) -> None:
    _call(installed, b"kittywatch.hook")
    assert {one.state for one in installation.status(installed.hooks)} == {"stale"}
    installed.lane("planned")
    assert installed.commit().stderr == ""
    assert (Path(os.environ["SPEC_KITTY_HOME"]) / "queue.db").exists()
    assert (installed.directory / "kittywatch-observed").read_text().split()[0] == installed.git(
        "rev-parse", "HEAD"
    ).strip()
    installed.install()
    assert {one.state for one in installation.status(installed.hooks)} == {"installed"}
    assert b"kittywatch.hook " not in (installed.hooks / "post-commit").read_bytes()


def test_an_interpreter_with_an_older_version_does_not_serve_these_hooks(installed: Repository, tmp_path: Path) -> None:
    older = tmp_path / "python"
    older.write_text("#!/bin/sh\n[ \"$4\" = 'import kittywatch.hook' ]\n")
    older.chmod(0o755)
    installed.install(older)
    faults = {one.fault for one in installation.status(installed.hooks)}
    assert faults == {f"its interpreter {older} is gone or lacks kittywatch"}


def test_files_that_come_back_from_the_index_are_nothing_for_a_hook(installed: Repository) -> None:
    """Git runs post-checkout with a zero at its end: HEAD hasn't moved, and edits are a watcher's or a command's."""
    installed.lane("planned")
    installed.commit(KITTYWATCH="0")
    installed.lane("doing")
    assert installed.run("checkout", "--", "kitty-specs").stderr == ""
    assert not (installed.directory / "kittywatch-observed").exists()
    installed.git("checkout", "-q", "-b", "topic")
    assert (installed.directory / "kittywatch-observed").exists()


def test_it_can_be_switched_off_where_the_stub_was_not_asked(installed: Repository) -> None:
    installed.lane("planned")
    installed.commit(KITTYWATCH="0")
    command = [sys.executable, "-c", "from kittywatch.githooks.entry import main; main()", "post-commit"]
    for switch, observed in (("0", False), ("1", True)):
        subprocess.run(command, cwd=installed.root, env=os.environ | {"KITTYWATCH": switch}, check=True)
        assert (installed.directory / "kittywatch-observed").exists() is observed


def _gone(repository: Repository, home: Path) -> None:
    repository.install(home / "gone" / "python")


def _lacking(repository: Repository, home: Path) -> None:
    repository.install(needs("false"))


def _corrupt(repository: Repository, home: Path) -> None:
    home.mkdir()
    (home / "queue.db").write_bytes(b"no database at all" * 1000)


def _home_is_a_file(repository: Repository, home: Path) -> None:
    home.write_text("")


def _no_objects(repository: Repository, home: Path) -> None:
    (repository.directory / "kittywatch-observed").write_text("0" * 40 + "\n")


def _specs_is_a_file(repository: Repository, home: Path) -> None:
    repository.git("rm", "-q", "-r", "kitty-specs")
    repository.write("a file\n", "kitty-specs")


@pytest.mark.parametrize("trouble", [_gone, _lacking, _corrupt, _home_is_a_file, _no_objects, _specs_is_a_file])
def test_git_goes_on(trouble: Callable[[Repository, Path], None], repository: Repository, tmp_path: Path) -> None:
    repository.lane("planned")
    repository.commit()
    repository.install()
    home = tmp_path / "own home"
    trouble(repository, home)
    if trouble is not _specs_is_a_file:
        repository.lane("doing")
    environment = {"SPEC_KITTY_HOME": str(home)}
    said = repository.commit(**environment).stderr
    assert "Traceback" not in said
    repository.git("checkout", "-q", "-b", "other", **environment)
    assert repository.git("log", "-1", "--format=%s").strip() == "commit"


def test_nothing_holds_on_to_gits_output(repository: Repository) -> None:
    """A piped `git commit` ends when git does: nobody else has the pipe open by then."""
    repository.install()
    repository.lane("planned")
    repository.git("add", "-A")
    reading, writing = os.pipe()
    try:
        subprocess.run(
            ["git", "commit", "-q", "-m", "x"], cwd=repository.root, stdout=writing, stderr=writing, check=True
        )
        os.close(writing)
        os.set_blocking(reading, False)
        while os.read(reading, 4096):  # BlockingIOError, if anybody could still write
            pass
    finally:
        os.close(reading)


@pytest.mark.parametrize("place", ["main", "linked", "submodule"])
def test_nothing_of_the_repository_is_executed(
    place: str, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = repository
    if place == "linked":
        repository.git("worktree", "add", "-q", str(tmp_path / "lïnked 'one'"), "-b", "topic")
        where = Repository(tmp_path / "lïnked 'one'", fresh=False)
    elif place == "submodule":
        source = Repository(tmp_path / "source")
        repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(source.root), "sub module")
        where = Repository(repository.root / "sub module", fresh=False)
    trap = f"open({str(tmp_path / 'trapped')!r}, 'a').write(__name__)\n"
    names = ["yaml", "sitecustomize", "usercustomize", "frontmatter", "msgspec", "sqlite3", "encodings", "json"]
    for path in [
        "kittywatch/__init__.py",
        "kittywatch/hook.py",
        "kittywatch/githooks/entry.py",
        *(f"{name}.py" for name in names),
    ]:
        where.write(trap, path)
    put(where.root / "git", f"#!/bin/sh\ntouch '{tmp_path}/trapped'\n")
    where.install()
    where.lane("planned")
    for path in (":", ".", str(where.root)):
        monkeypatch.setenv("PYTHONPATH", path)
        said = where.commit("commit", "--allow-empty").stderr
        where.lane("doing" if path == ":" else "for_review")
        assert said == "" or "kittywatch:" in said
    assert not (tmp_path / "trapped").exists()
    home = Path(os.environ["SPEC_KITTY_HOME"])
    assert (home / "queue.db").exists(), "ours was executed"
