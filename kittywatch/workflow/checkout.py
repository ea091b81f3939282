"""The commands that change a git repository, each of which the caller was asked for.

What observes only asks git (`git/repository.py`); this is the other half. git runs as its user would run it, hooks and
all, but without what ties it to another repository, and without a terminal to ask at.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kittywatch.errors import GitError
from kittywatch.git.repository import LOCAL_VARIABLES, Git
from kittywatch.workpackages.layout import place

WORKTREES = ".worktrees"


class Checkout:
    """A checkout that may be written to."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self.root = git.root

    def commit_only(self, paths: Sequence[str], message: str) -> str:
        """Commit some files as they are and nothing else; the rest of the index stays. Returns the commit."""
        known = self._run("ls-files", "-z", "--", *_literal(paths)).split("\0")
        new = [path for path in paths if path not in known]
        if new:
            self._run("add", "--", *_literal(new))
        try:
            self._run("commit", "--quiet", "--only", "-m", message, "--", *_literal(paths))
        except GitError:
            if new:
                self._run("rm", "--quiet", "--cached", "--", *_literal(new))
            raise
        return self.git.commit_id("HEAD")

    def add_worktree(self, name: str, base: str) -> Path:
        """The linked worktree `.worktrees/name` on a branch of that name, made from `base` where there is none."""
        path = self.git.main_root / WORKTREES / name
        if path.is_dir() and path.resolve() in [one.resolve() for one in self.git.worktrees()]:
            return path
        self._exclude()
        branch = f"refs/heads/{name}"
        if branch in self.git.branches():
            self._run("worktree", "prune")
            self._run("worktree", "add", "--quiet", str(path), name)
        else:
            self._run("worktree", "add", "--quiet", "-b", name, str(path), base)
        return path

    def staged(self) -> bool:
        """Tell whether the index has something that is not committed."""
        return self._try("diff", "--cached", "--quiet").returncode != 0

    def changed_packages(self, feature: str) -> list[str]:
        """The work packages of a feature that differ from what is committed."""
        found = ((path, place(path)) for path in self.git.dirty())
        return [path for path, where in found if where is not None and where.feature == feature]

    def abandon_merge(self, branches: Sequence[str]) -> None:
        """Abort a merge that was left in the middle, if it is of one of some branches."""
        merging = self._try("rev-parse", "--verify", "--quiet", "MERGE_HEAD").stdout.strip()
        tips = {self._try("rev-parse", "--verify", "--quiet", f"refs/heads/{name}").stdout.strip() for name in branches}
        if merging and merging in tips:
            self._run("merge", "--abort")

    def merge(self, branch: str, message: str) -> list[str]:
        """Merge a branch into what is checked out; returns the paths in conflict, after which nothing is merged."""
        done = self._try("merge", "--no-ff", "--no-edit", "--quiet", "-m", message, f"refs/heads/{branch}")
        if done.returncode == 0:
            return []
        conflicts = [
            path for path in self._try("diff", "--name-only", "--diff-filter=U", "-z").stdout.split("\0") if path
        ]
        if self._try("rev-parse", "--verify", "--quiet", "MERGE_HEAD").returncode == 0:
            self._run("merge", "--abort")
        if not conflicts:
            raise GitError("merge", _last_line(done))
        return conflicts

    def keep_work(self, target: str, message: str) -> None:
        """Commit what an agent has left uncommitted; the work packages' files go back to what its branch began with."""
        base = self._run("merge-base", target, "HEAD").strip()
        packages = ":(top,glob)kitty-specs/*/tasks/**"
        self._try("restore", f"--source={base}", "--staged", "--worktree", "--", packages)
        self._try("clean", "-fdq", "--", packages)
        if self._run("status", "--porcelain"):
            self._run("add", "--all")
            self._run("commit", "--quiet", "-m", message)

    def tidy_worktree(self, name: str) -> None:
        """Take away a worktree whose branch is merged; one with something in it that is nowhere else stays."""
        path = self.git.main_root / WORKTREES / name
        self._try("worktree", "remove", str(path))
        if not path.exists():  # whatever git said: an observer may write to its directory while it is removed
            self._try("worktree", "prune")
            self._try("branch", "--quiet", "-d", name)

    def remove_worktree(self, name: str) -> None:
        """Take away a worktree that was just made, and its branch."""
        self._run("worktree", "remove", "--force", str(self.git.main_root / WORKTREES / name))
        self._run("branch", "--quiet", "-D", name)

    def _exclude(self) -> None:
        """Have git ignore the worktrees, in this clone alone: no file of the project changes."""
        path = self.git.common / "info" / "exclude"
        line = f"/{WORKTREES}/"
        try:
            there = path.read_text("utf-8", errors="surrogateescape")
        except OSError:
            there = ""
        if line not in there.splitlines():
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{'' if there.endswith(chr(10)) or not there else chr(10)}{line}\n")

    def _run(self, *command: str) -> str:
        done = self._try(*command)
        if done.returncode:
            raise GitError(command[0], _last_line(done))
        return done.stdout

    def _try(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name not in LOCAL_VARIABLES}
        return subprocess.run(
            ["git", *command],
            cwd=self.root,
            env=environment | {"GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return lines[-1].removeprefix("fatal: ").removeprefix("error: ") if lines else "failed without a word"


def _literal(paths: Sequence[str]) -> list[str]:
    return [f":(literal,top){path}" for path in paths]
