"""Hooks beside whatever is there, with real git."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.errors import ProjectError
from kittywatch.githooks import installation
from tests.githooks.foreign import BYTES, NODE, SCRIPTS, foreign
from tests.githooks.hooked import Recorder, Repository, put, tree, without_times


def test_fresh_hooks_come_and_go(repository: Repository) -> None:
    before = tree(repository.hooks)
    repository.install()
    assert {one.name for one in installation.status(repository.hooks) if one.state == "installed"} == set(
        installation.HOOKS
    )
    assert all(os.access(repository.hooks / name, os.X_OK) for name in installation.HOOKS)
    assert all(b"\r" not in (repository.hooks / name).read_bytes() for name in installation.HOOKS)
    repository.uninstall()
    assert tree(repository.hooks) == before
    assert installation.plan_uninstall(repository.hooks) == []


@pytest.mark.parametrize("kind", [*SCRIPTS, "zsh", "node", "binary", "link"])
def test_a_foreign_hook_runs_as_before_and_is_given_back(
    kind: str, repository: Repository, recorder: Recorder, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    for name in ("post-rewrite", "post-checkout"):
        foreign(kind, repository.hooks / name)
    before = without_times(tree(repository.hooks))
    repository.lane("planned")
    repository.commit()

    def amended() -> str:
        """The new commit has the same id each time: the same author, parent and dates."""
        dates = {"GIT_COMMITTER_DATE": "1767225600 +0000", "GIT_AUTHOR_DATE": "1767225600 +0000"}
        repository.git("commit", "-q", "--amend", "--no-edit", "--date", "1767225600 +0000", **dates)
        repository.git("reset", "-q", "--soft", "HEAD@{1}")
        repository.git("commit", "-q", "--amend", "-m", "amended", RECORD=str(record), **dates)
        return record.read_text()

    first = amended()
    assert first.startswith("amend\n")
    assert len(first.split()) == 3, "the word and a pair of commits"
    repository.install(recorder.python)
    installed = tree(repository.hooks)
    repository.install(recorder.python)
    assert tree(repository.hooks) == installed, "installing twice changes nothing"
    recorder.take()
    second = amended()
    assert second.startswith("amend\n")
    assert len(second.split()) == 3
    assert any(call.startswith("post-rewrite amend") for call in recorder.take())
    refused = repository.run("checkout", "-q", "-b", "other", check=False, RECORD=str(record), STATUS="3")
    assert refused.returncode == 1, "git checkout fails where the hook does"
    assert record.read_text().split()[2] == "1"
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before


@pytest.mark.parametrize("kind", BYTES)
@pytest.mark.parametrize("mode", [0o755, 0o644, 0o700])
def test_whatever_a_hook_is_made_of_it_is_given_back(kind: str, mode: int, repository: Repository) -> None:
    put(repository.hooks / "post-commit", BYTES[kind], mode)
    before = without_times(tree(repository.hooks))
    repository.install()
    repository.install()
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before


def test_a_hook_that_git_does_not_run_stays_one(repository: Repository, recorder: Recorder, tmp_path: Path) -> None:
    put(repository.hooks / "post-commit", f"#!/bin/sh\ntouch '{tmp_path}/ran'\n", 0o644)
    repository.install(recorder.python)
    repository.lane("planned")
    repository.commit()
    assert recorder.take() == ["post-commit"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", ["shared hooks", "/absolute"])
def test_hooks_go_where_the_configuration_says(path: str, repository: Repository, recorder: Recorder) -> None:
    where = str(repository.root.parent / "elsewhere") if path.startswith("/") else path
    repository.git("config", "core.hooksPath", where)
    repository.install(recorder.python)
    assert (repository.root / where / "post-commit").exists()
    repository.lane("planned")
    repository.commit()
    assert recorder.take() == ["post-commit"]


def test_husky(repository: Repository, recorder: Recorder, tmp_path: Path) -> None:
    """Version 9: git runs .husky/_/NAME, which reads .husky/_/h, which runs .husky/NAME."""
    husky = repository.root / ".husky"
    h = '#!/usr/bin/env sh\nn=$(basename "$0")\ns=$(dirname "$(dirname "$0")")/$n\n[ ! -f "$s" ] && exit 0\n'
    put(husky / "_" / "h", h + 'sh -e "$s" "$@"\nc=$?\nexit $c\n', 0o644)
    for name in ("post-commit", "post-checkout"):
        put(husky / "_" / name, '#!/usr/bin/env sh\n. "$(dirname "$0")/h"')
    put(husky / "post-commit", f"touch '{tmp_path}/ran'\n", 0o644)
    repository.git("config", "core.hooksPath", ".husky/_")
    before = without_times(tree(husky))
    repository.install(recorder.python)
    repository.lane("planned")
    repository.commit()
    assert recorder.take() == ["post-commit"]
    assert (tmp_path / "ran").exists()
    repository.uninstall()
    assert without_times(tree(husky)) == before


def test_linked_worktrees_share_the_hooks(repository: Repository, recorder: Recorder, tmp_path: Path) -> None:
    repository.git("worktree", "add", "-q", str(tmp_path / "lïnked 'one'"), "-b", "topic")
    linked = Repository(tmp_path / "lïnked 'one'", fresh=False)
    linked.install(recorder.python)
    assert (repository.root / ".git" / "hooks" / "post-commit").exists()
    linked.lane("planned")
    linked.commit()
    assert recorder.take() == ["post-commit"]


def test_a_submodule_has_hooks_of_its_own(repository: Repository, recorder: Recorder, tmp_path: Path) -> None:
    source = Repository(tmp_path / "source")
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(source.root), "sub module")
    inside = Repository(repository.root / "sub module", fresh=False)
    inside.install(recorder.python)
    inside.lane("planned")
    inside.commit()
    assert recorder.take() == ["post-commit"]
    inside.observed()
    inside.write("text", "other")
    inside.commit()
    assert recorder.take() == []


def test_a_directory_that_does_not_exist(repository: Repository, recorder: Recorder) -> None:
    for path in repository.hooks.iterdir():
        path.unlink()
    repository.hooks.rmdir()
    assert {one.state for one in installation.status(repository.hooks)} == {"missing"}
    repository.install(recorder.python)
    repository.lane("planned")
    repository.commit()
    assert recorder.take() == ["post-commit"]


def test_a_directory_that_cannot_be_written(repository: Repository) -> None:
    repository.git("config", "core.hooksPath", "/dev/null")
    with pytest.raises(ProjectError, match="post-commit"):
        repository.install()
    repository.git("config", "--unset", "core.hooksPath")
    before = tree(repository.hooks)
    repository.hooks.chmod(0o555)
    program = "import os, sys\nfrom pathlib import Path\nfrom kittywatch.githooks import installation\n"
    program += "from kittywatch.errors import ProjectError\ntemplate = installation.plan_install(Path(sys.argv[1]))\n"
    program += "os.chdir(sys.argv[1])\nif os.geteuid() == 0: os.seteuid(65534)\n"
    program += "try: installation.apply(installation.plan_install(Path('.')))\n"
    program += "except ProjectError as error: print(error.remedy)\n"
    done = subprocess.run(
        [sys.executable, "-c", program, str(repository.hooks)], capture_output=True, text=True, check=True
    )
    repository.hooks.chmod(0o755)
    assert "writable" in done.stdout
    assert tree(repository.hooks) == before


def test_nothing_is_lost_where_something_is_aside_already(repository: Repository) -> None:
    post_commit = repository.hooks / "post-commit"
    aside = repository.hooks / installation.ASIDE / "post-commit"
    put(post_commit, SCRIPTS["python"])
    repository.install()
    assert aside.exists()
    put(post_commit, f"#!/usr/bin/env node\n{NODE}")
    before = tree(repository.hooks)
    with pytest.raises(ProjectError, match="is there already"):
        repository.install()
    assert tree(repository.hooks) == before, "another tool's hook has taken the place of ours"
    put(post_commit, SCRIPTS["sh"])
    repository.install()
    repository.uninstall()
    assert post_commit.read_text() == SCRIPTS["sh"], "what is there now, not what was moved aside before"
    assert aside.read_text() == SCRIPTS["python"]


@pytest.mark.parametrize("target", ["../dispatch", "/dispatch"])
def test_a_program_that_serves_several_hooks_knows_which_it_is(
    target: str, repository: Repository, tmp_path: Path
) -> None:
    """Those that are links to one program, and a program that is a file, go by their name and where they lead."""
    record = tmp_path / "record"
    program = (
        f'#!/usr/bin/env python3\nimport os, sys\nopen({str(record)!r}, "a").write(os.path.basename(sys.argv[0]))\n'
    )
    dispatch = tmp_path / "dispatch" if target.startswith("/") else repository.hooks.parent / "dispatch"
    put(dispatch, program)
    (repository.hooks / "post-commit").symlink_to(str(dispatch) if target.startswith("/") else target)
    put(repository.hooks / "post-checkout", program)
    before = without_times(tree(repository.hooks))
    repository.install()
    repository.install()
    repository.lane("planned")
    repository.commit()
    assert record.read_text() == "post-commit"
    repository.git("checkout", "-q", "-b", "other")
    assert record.read_text() == "post-commitpost-checkout"
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before


def test_an_installation_that_was_killed_is_completed(repository: Repository, recorder: Recorder) -> None:
    post_commit = repository.hooks / "post-commit"
    aside = repository.hooks / installation.ASIDE / "post-commit"
    put(post_commit, SCRIPTS["python"])
    before = without_times(tree(repository.hooks))
    aside.parent.mkdir()
    os.link(post_commit, aside)
    repository.install(recorder.python)
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before
    aside.parent.mkdir()
    post_commit.rename(aside)  # where links can't be made
    repository.install(recorder.python)
    assert b"before=" in post_commit.read_bytes()
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before
    repository.install(recorder.python)
    post_commit.unlink()
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before, "somebody removed ours by hand"


def test_a_link_of_a_killed_installation_is_known_again(repository: Repository) -> None:
    """What is aside is the hook's own link, told by where both lead; another link is another tool's."""
    post_commit = repository.hooks / "post-commit"
    aside = repository.hooks / installation.ASIDE / "post-commit"
    post_commit.symlink_to("../dispatch")
    before = without_times(tree(repository.hooks))
    aside.parent.mkdir()
    aside.symlink_to("../../dispatch")
    repository.install()
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before
    aside.parent.mkdir()
    for other in ("../../another", None):
        aside.unlink(missing_ok=True)
        if other is None:
            aside.write_text("no link")
        else:
            aside.symlink_to(other)
        with pytest.raises(ProjectError, match="is there already"):
            repository.install()
        assert os.readlink(post_commit) == "../dispatch"


def test_where_there_are_no_hard_links_a_hook_moves_aside(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT, which can't be mounted in a test."""

    def no_link(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    post_commit = repository.hooks / "post-commit"
    put(post_commit, SCRIPTS["python"])
    before = without_times(tree(repository.hooks))
    monkeypatch.setattr(os, "link", no_link)
    repository.install()
    assert (repository.hooks / installation.ASIDE / "post-commit").read_text() == SCRIPTS["python"]
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before


@pytest.mark.parametrize(
    ("variables", "hook"),
    [
        ({}, ("post-commit", ())),
        ({"PRE_COMMIT_REWRITE_COMMAND": "rebase"}, ("post-rewrite", ("rebase",))),
        ({"PRE_COMMIT_IS_SQUASH_MERGE": "1"}, ("post-merge", ("1",))),
        (
            {"PRE_COMMIT_FROM_REF": "a", "PRE_COMMIT_TO_REF": "b", "PRE_COMMIT_CHECKOUT_TYPE": "1"},
            ("post-checkout", ("a", "b", "1")),
        ),
    ],
)
def test_which_hook_the_framework_runs(variables: dict[str, str], hook: tuple[str, tuple[str, ...]]) -> None:
    assert installation.framework_hook(variables) == hook


def test_a_framework_that_moves_hooks_takes_the_chain_along(repository: Repository, tmp_path: Path) -> None:
    record, name = tmp_path / "record", "post-checkout"
    put(repository.hooks / name, SCRIPTS["python"])
    repository.install()
    (repository.hooks / name).rename(repository.hooks / f"{name}.legacy")
    put(repository.hooks / name, '#!/bin/sh\n"$0.legacy" "$@"\n')
    repository.git("checkout", "-q", "-b", "other", RECORD=str(record))
    assert len(record.read_text().split()) == 3
    found = {one.name: one for one in installation.status(repository.hooks)}[name]
    assert (found.state, found.path.name) == ("installed", f"{name}.legacy")
    before = tree(repository.hooks)
    repository.install()
    assert tree(repository.hooks) == before
    repository.uninstall()
    assert (repository.hooks / f"{name}.legacy").read_text() == SCRIPTS["python"]
    assert sorted(path.name for path in repository.hooks.glob("post-*") if path.suffix != ".sample") == [
        name,
        f"{name}.legacy",
    ]


def test_status_finds_what_is_wrong(repository: Repository, recorder: Recorder, tmp_path: Path) -> None:
    def fault(name: str = "post-commit") -> tuple[str, str]:
        found = {one.name: one for one in installation.status(repository.hooks)}[name]
        return found.state, found.fault or ""

    repository.install()
    post_commit = repository.hooks / "post-commit"
    content = post_commit.read_bytes()
    post_commit.chmod(0o644)
    assert fault() == ("stale", "its file is not executable")
    repository.install()
    assert fault() == ("installed", "")
    for old in (content.replace(b"BISECT_START", b"BISECT"), content.replace(b"\n", b"\r\n")):
        post_commit.write_bytes(old)
        assert fault() == ("stale", "its block is another version's")
        repository.install()
        assert post_commit.read_bytes().replace(b"\r\n", b"\n") == content
    post_commit.unlink()
    assert fault() == ("missing", "")
    repository.install(tmp_path / "gone" / "python")
    assert "is gone" in fault()[1]
    lacking = tmp_path / "lacking"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(lacking)], check=True)
    repository.install(lacking / "bin" / "python")
    assert "lacks kittywatch" in fault()[1]
    repository.install()
    assert fault() == ("installed", "")


def test_an_interpreter_that_a_script_cannot_name(repository: Repository) -> None:
    with pytest.raises(ProjectError, match="quote"):
        repository.install("/it's/python")
