"""Hooks beside whatever is there, with real git, and the shell script that they are."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kittywatch.errors import ProjectError
from kittywatch.githooks import installation
from tests.githooks.hooked import Recorder, Repository, needs, tree, without_times

_SHELL = 'printf "%s\\n" "$@" >"$RECORD"\ncat >>"$RECORD"\n'
_PYTHON = "import os, sys\nout = open(os.environ['RECORD'], 'w')\nout.write(''.join(a + '\\n' for a in sys.argv[1:]))\n"
_PYTHON += "out.write(sys.stdin.read())\nout.close()\nsys.exit(int(os.environ.get('STATUS', '0')))\n"
_NODE = "const fs = require('fs')\nlet read = ''\ntry { read = fs.readFileSync(0, 'utf8') } catch {}\n"
_NODE += "fs.writeFileSync(process.env.RECORD, process.argv.slice(2).map(a => a + '\\n').join('') + read)\n"
_NODE += "process.exit(Number(process.env.STATUS || 0))\n"
_C = """
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
    FILE *out = fopen(getenv("RECORD"), "w");
    for (int i = 1; i < count; i++) fprintf(out, "%s\\n", words[i]);
    for (int c; (c = getchar()) != EOF;) fputc(c, out);
    fclose(out);
    return getenv("STATUS") ? atoi(getenv("STATUS")) : 0;
}
"""
_LEFTHOOK = """#!/bin/sh

if [ "$LEFTHOOK_VERBOSE" = "1" -o "$LEFTHOOK_VERBOSE" = "true" ]; then
  set -x
fi

if [ "$LEFTHOOK" = "0" ]; then
  exit 0
fi

call_lefthook()
{
  printf "%s\\n" "$@" >"$RECORD"; cat >>"$RECORD"; exit "${STATUS:-0}"
}

call_lefthook "$@"
"""
_SCRIPTS = {
    "sh": f"#!/bin/sh\n{_SHELL}exit ${{STATUS:-0}}\n",
    "bash": f"#!/bin/bash\n{_SHELL}exit ${{STATUS:-0}}\n",
    "env bash with options": f"#!/usr/bin/env -S bash -eu\n{_SHELL}exit ${{STATUS:-0}}\n",
    "exec": '#!/bin/sh\nexec sh -c \'printf "%s\\n" "$@" >"$RECORD"; cat >>"$RECORD"; exit ${STATUS:-0}\' sh "$@"\n',
    "set -eu": f"#!/bin/sh\nset -eu\n{_SHELL}exit ${{STATUS:-0}}\n",
    "no newline at the end": f"#!/bin/sh\n{_SHELL}exit ${{STATUS:-0}}",
    "python": f"#!{sys.executable}\n{_PYTHON}",
    "python in a directory called sh": f"#!/usr/bin/env -S {sys.executable} -X sh=bash\n{_PYTHON}",
    "sh and python in one": f"#!/bin/sh\n''':'\nexec '{sys.executable}' \"$0\" \"$@\"\n'''\n{_PYTHON}",
    "lefthook": _LEFTHOOK,
}
_BYTES = {
    "CRLF": b"#!/bin/sh\r\nexit 0\r\n",
    "the first line alone": b"#!/bin/sh\n",
    "no first line": b"echo ran\n",
    "empty": b"",
    "first line without end": b"#!/bin/sh",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "a 'project' \"ü\"")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


def _put(path: Path, content: bytes | str, mode: int = 0o755) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


def _foreign(kind: str, path: Path) -> None:
    if kind == "node":
        _put(path, f"#!{needs('node')}\n{_NODE}")
    elif kind == "zsh":
        _put(path, f"#!{needs('zsh')}\n{_SHELL}exit ${{STATUS:-0}}\n")
    elif kind == "binary":
        source = path.with_suffix(".c")
        source.write_text(_C)
        subprocess.run([needs("cc"), "-o", str(path), str(source)], check=True)
        source.unlink()
    elif kind == "link":
        _put(path.parent / "shared" / "hook", _SCRIPTS["sh"])
        path.symlink_to("shared/hook")
    else:
        _put(path, _SCRIPTS[kind])


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


@pytest.mark.parametrize("kind", [*_SCRIPTS, "zsh", "node", "binary", "link"])
def test_a_foreign_hook_runs_as_before_and_is_given_back(
    kind: str, repository: Repository, recorder: Recorder, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    for name in ("post-rewrite", "post-checkout"):
        _foreign(kind, repository.hooks / name)
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


@pytest.mark.parametrize("kind", _BYTES)
@pytest.mark.parametrize("mode", [0o755, 0o644, 0o700])
def test_whatever_a_hook_is_made_of_it_is_given_back(kind: str, mode: int, repository: Repository) -> None:
    _put(repository.hooks / "post-commit", _BYTES[kind], mode)
    before = without_times(tree(repository.hooks))
    repository.install()
    repository.install()
    repository.uninstall()
    assert without_times(tree(repository.hooks)) == before


def test_a_hook_that_git_does_not_run_stays_one(repository: Repository, recorder: Recorder, tmp_path: Path) -> None:
    _put(repository.hooks / "post-commit", f"#!/bin/sh\ntouch '{tmp_path}/ran'\n", 0o644)
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
    _put(husky / "_" / "h", h + 'sh -e "$s" "$@"\nc=$?\nexit $c\n', 0o644)
    for name in ("post-commit", "post-checkout"):
        _put(husky / "_" / name, '#!/usr/bin/env sh\n. "$(dirname "$0")/h"')
    _put(husky / "post-commit", f"touch '{tmp_path}/ran'\n", 0o644)
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
    _put(post_commit, _SCRIPTS["python"])
    repository.install()
    assert aside.exists()
    _put(post_commit, f"#!/usr/bin/env node\n{_NODE}")
    before = tree(repository.hooks)
    with pytest.raises(ProjectError, match="is there already"):
        repository.install()
    assert tree(repository.hooks) == before, "another tool's hook has taken the place of ours"
    _put(post_commit, _SCRIPTS["sh"])
    repository.install()
    repository.uninstall()
    assert post_commit.read_text() == _SCRIPTS["sh"], "what is there now, not what was moved aside before"
    assert aside.read_text() == _SCRIPTS["python"]


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
    _put(dispatch, program)
    (repository.hooks / "post-commit").symlink_to(str(dispatch) if target.startswith("/") else target)
    _put(repository.hooks / "post-checkout", program)
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
    _put(post_commit, _SCRIPTS["python"])
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
    _put(post_commit, _SCRIPTS["python"])
    before = without_times(tree(repository.hooks))
    monkeypatch.setattr(os, "link", no_link)
    repository.install()
    assert (repository.hooks / installation.ASIDE / "post-commit").read_text() == _SCRIPTS["python"]
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
    _put(repository.hooks / name, _SCRIPTS["python"])
    repository.install()
    (repository.hooks / name).rename(repository.hooks / f"{name}.legacy")
    _put(repository.hooks / name, '#!/bin/sh\n"$0.legacy" "$@"\n')
    repository.git("checkout", "-q", "-b", "other", RECORD=str(record))
    assert len(record.read_text().split()) == 3
    found = {one.name: one for one in installation.status(repository.hooks)}[name]
    assert (found.state, found.path.name) == ("installed", f"{name}.legacy")
    before = tree(repository.hooks)
    repository.install()
    assert tree(repository.hooks) == before
    repository.uninstall()
    assert (repository.hooks / f"{name}.legacy").read_text() == _SCRIPTS["python"]
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


# The stub.


@pytest.fixture
def hooked(repository: Repository, recorder: Recorder) -> Repository:
    """With the recorder for an interpreter, and a lane that was looked at."""
    repository.lane("planned")
    repository.write("a\n", "other")
    repository.commit()
    repository.install(recorder.python)
    repository.observed()
    return repository


def test_what_touches_no_work_package_starts_no_python(hooked: Repository, recorder: Recorder) -> None:
    hooked.write("b\n", "other")
    hooked.commit()
    assert (hooked.directory / "kittywatch-observed").read_text() == hooked.git("rev-parse", "HEAD")
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.write("c\n", "more")
    hooked.commit()
    hooked.git("commit", "-q", "--amend", "-m", "amended")
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-ff", "topic")
    hooked.git("checkout", "-q", "topic")
    hooked.git("merge", "-q", "main")
    hooked.git("pack-refs", "--all")
    hooked.git("checkout", "-q", "--detach")
    hooked.write("d\n", "more")
    hooked.commit()
    assert recorder.take() == []
    hooked.lane("doing")
    hooked.commit()
    assert recorder.take() == ["post-commit"]


def test_a_repository_without_work_packages(repository: Repository, recorder: Recorder) -> None:
    repository.install(recorder.python)
    repository.write("a\n", "kitty-specs")
    repository.commit()
    assert recorder.take() == []
    repository.observed()
    repository.commit("a file of that name", "--allow-empty")
    assert recorder.take() == []


def test_a_merge_that_takes_an_older_state_is_looked_at(hooked: Repository, recorder: Recorder) -> None:
    """No commit on either side changes a lane: the merge does, by what it takes."""
    hooked.git("branch", "old")
    hooked.lane("doing")
    hooked.commit()
    hooked.observed()
    for way in ("--no-ff", "ours"):
        hooked.git("checkout", "-q", "old", KITTYWATCH="0")
        hooked.write(way, "more")
        hooked.commit(KITTYWATCH="0")
        recorder.take()
        if way == "ours":
            hooked.git("merge", "-q", "-s", "ours", "main", KITTYWATCH="0")
            hooked.git("checkout", "-q", "main", KITTYWATCH="0")
            hooked.git("merge", "-q", "--ff-only", "old")
            assert recorder.take() == ["post-merge 0"]
        else:
            hooked.git("checkout", "-q", "main", KITTYWATCH="0")
            hooked.git("merge", "-q", "--no-ff", "--no-commit", "old")
            hooked.git("checkout", "-q", "old", "--", "kitty-specs", KITTYWATCH="0")
            hooked.commit()
            assert recorder.take() == ["post-commit"]
            hooked.git("reset", "-q", "--hard", "HEAD^")


def test_a_rebase_is_looked_at_when_it_is_over(hooked: Repository, recorder: Recorder) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    for lane in ("doing", "for_review", "done"):
        hooked.lane(lane)
        hooked.commit(KITTYWATCH="0")
    hooked.git("checkout", "-q", "main", KITTYWATCH="0")
    hooked.write("b\n", "other")
    hooked.commit()
    hooked.git("checkout", "-q", "topic", KITTYWATCH="0")
    recorder.take()
    hooked.git("rebase", "-q", "main")
    assert recorder.take() == ["post-rewrite rebase"]


def test_of_several_picks_the_last_is_looked_at(hooked: Repository, recorder: Recorder) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    for lane in ("doing", "for_review", "done"):
        hooked.lane(lane)
        hooked.commit(KITTYWATCH="0")
    hooked.git("checkout", "-q", "main", KITTYWATCH="0")
    recorder.take()
    hooked.git("cherry-pick", "main..topic")
    assert recorder.take() == ["post-commit"]
    hooked.git("revert", "--no-edit", "HEAD~2..HEAD")
    assert recorder.take() == ["post-commit"]
    hooked.git("reset", "-q", "--hard", "topic~1")
    hooked.git("cherry-pick", "topic")
    assert recorder.take() == ["post-commit"]


def test_a_bisection_is_not_looked_at(hooked: Repository, recorder: Recorder) -> None:
    for lane in ("doing", "for_review", "done"):
        hooked.lane(lane)
        hooked.commit(KITTYWATCH="0")
    recorder.take()
    hooked.git("bisect", "start", "HEAD", "HEAD~3")
    hooked.git("bisect", "good")
    assert recorder.take() == []
    hooked.git("bisect", "reset")
    assert len(recorder.take()) <= 1


def test_it_can_be_switched_off(hooked: Repository, recorder: Recorder) -> None:
    hooked.lane("doing")
    hooked.commit(KITTYWATCH="0")
    assert recorder.take() == []
    hooked.git("checkout", "-q", "-b", "other")
    assert recorder.take() != [], "the next one makes up for it"


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh", "ksh", "zsh"])
@pytest.mark.parametrize("options", ["", "-eu"])
def test_other_shells(shell: str, options: str, hooked: Repository, recorder: Recorder) -> None:
    program, *rest = shell.split()
    if program in ("ksh", "zsh"):
        pytest.importorskip("shutil").which(program) or pytest.skip(f"{program} is not installed")
    words = [needs(program), *rest, *options.split()]

    def run(name: str, *arguments: str) -> None:
        script = str(hooked.hooks / name)
        done = subprocess.run([*words, script, *arguments], cwd=hooked.root, capture_output=True, text=True, check=True)
        assert done.stdout + done.stderr == ""

    hooked.write("b\n", "other")
    hooked.commit(KITTYWATCH="0")
    run("post-commit")
    assert recorder.take() == []
    hooked.lane("doing")
    hooked.commit(KITTYWATCH="0")
    run("post-checkout", "a b", "c", "1")
    assert recorder.take() == ["post-checkout a b c 1"]
    mark = hooked.directory / "kittywatch-watcher"
    about = Path(f"/proc/{os.getpid()}/stat")
    if about.exists() and program != "zsh":  # which splits no words, and so starts Python beside a watcher
        started = about.read_text().rpartition(")")[2].split()[19]
        mark.write_text(f"{os.getpid()} {started} {os.environ['SPEC_KITTY_HOME']}\n")
        run("post-commit")
        assert recorder.take() == [], "a watcher sees it all"
        for other in (
            f"{os.getpid()} {int(started) + 1} {os.environ['SPEC_KITTY_HOME']}",
            f"{os.getpid()} {started} /",
        ):
            mark.write_text(other + "\n")
            run("post-commit")
            assert recorder.take() == ["post-commit"]


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        [needs("shellcheck"), "--shell=sh", "--enable=all", "--exclude=SC2250,SC2310,SC2312", "-"],
        input=installation.stub(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


def test_the_stub_keeps_its_line_ends() -> None:
    assert b"\r" not in installation.stub()
    attributes = Path(__file__).parents[2] / ".gitattributes"
    if attributes.exists():
        assert "eol=lf" in attributes.read_text()


# Whatever happens, git goes on.


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
    _put(where.root / "git", f"#!/bin/sh\ntouch '{tmp_path}/trapped'\n")
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
