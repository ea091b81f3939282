"""The block of shell that hooks get: it starts Python only where there is something to see."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kittywatch.githooks.stub import read_template
from tests.githooks.hooked import Recorder, Repository, needs


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
    assert (hooked.directory / "kittywatch-observed").read_text().split()[0] == hooked.git("rev-parse", "HEAD").strip()
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


def test_another_configuration_is_looked_at(hooked: Repository, recorder: Recorder) -> None:
    """It may say that other paths matter: in a commit, and where no commit has it."""
    (hooked.root / ".kittify").mkdir()
    hooked.write("sources:\n", ".kittify/config.yaml")
    os.utime(hooked.root / ".kittify/config.yaml", (0, 0))
    hooked.commit()
    assert recorder.take() == ["post-commit"]
    hooked.observed()
    hooked.commit("nothing", "--allow-empty")
    assert recorder.take() == []
    hooked.write("/.kittify/\n", ".git/info/exclude")
    os.utime(hooked.root / ".kittify/config.yaml", (2**33, 2**33))
    hooked.commit("nothing more", "--allow-empty")
    assert recorder.take() == ["post-commit"]


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
        input=read_template(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


def test_the_stub_keeps_its_line_ends() -> None:
    assert b"\r" not in read_template()
    attributes = Path(__file__).parents[2] / ".gitattributes"
    if attributes.exists():
        assert "eol=lf" in attributes.read_text()
