"""Everything that knows git's commands; `output` reads what they list.

git is only asked, never told: no command here writes to the repository, refreshes its index, opens a pager, runs a
diff driver or a text conversion, or shows signatures. Once a repository is found, GIT_DIR and GIT_WORK_TREE name it:
in a hook, git exports a relative GIT_INDEX_FILE or another worktree's GIT_DIR, and with them a git command in another
directory would read the wrong repository.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from kittywatch.errors import GitError, NotAProjectError, ProjectError
from kittywatch.git.objects import Objects
from kittywatch.git.output import COMMITS, Commit, File, changes, commits, first_moment, listed
from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lane_source import Unit
from kittywatch.workpackages.sources import DEFAULT, Sources

# What `git rev-parse --local-env-vars` lists, and what else turns a command towards other objects or formats.
LOCAL_VARIABLES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
        "GIT_OBJECT_DIRECTORY",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_GRAFT_FILE",
        "GIT_INDEX_FILE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_REPLACE_REF_BASE",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_COMMON_DIR",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_QUARANTINE_PATH",
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_EXTERNAL_DIFF",
        "GIT_DIFF_OPTS",
    }
)
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0"}
_CONFIG = ("-c", "log.showSignature=false", "-c", "log.showRoot=true", "-c", "core.fsmonitor=false")
# A partial clone fetches what it lacks whenever it is asked for: nobody's commit waits for that (scenario 59).
_OFFLINE = ("-c", "protocol.allow=never")
_RAW = ("-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
_ID = pattern(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


class Head(Struct, frozen=True):
    """HEAD: the full name of its branch, None if detached; its commit, None before the first one."""

    ref: str | None
    tip: str | None


class Git:
    """A repository as seen from one of its worktrees.

    `root` is the worktree's top, `directory` its own git directory, `common` the one that all worktrees share. Of its
    files those matter that `sources` have.
    """

    def __init__(self, root: Path, directory: Path, common: Path) -> None:
        self.sources: Sources = DEFAULT
        self.root = root
        self.directory = directory
        self.common = common
        self._environment = clean_environment() | {"GIT_DIR": str(directory), "GIT_WORK_TREE": str(root)}

    @classmethod
    def find(cls, start: Path) -> Git:
        """The repository around a directory; raises NotAProjectError, or ProjectError where git refuses it."""
        command = ["rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"]
        try:
            done = _run(command, start, dict(os.environ) | _QUIET)
        except (NotADirectoryError, FileNotFoundError) as error:
            if error.filename == "git":
                raise ProjectError("git is not installed", remedy="install git 2.31 or newer") from None
            raise NotAProjectError(start) from None
        if done.returncode:
            said = _last_line(done.stderr)
            if "dubious ownership" in done.stderr.decode("utf-8", "replace"):
                raise ProjectError(f"git refuses {start}: it belongs to another user", remedy=said)
            raise NotAProjectError(start)
        root, directory, common = done.stdout.decode("utf-8", "surrogateescape").splitlines()
        return cls(Path(root), Path(directory), Path(common))

    @classmethod
    def of_hook(cls, top: Path) -> Git:
        """The repository whose hook runs in a worktree's top; where its files are not plain, git is asked."""
        if "GIT_WORK_TREE" in os.environ or "GIT_COMMON_DIR" in os.environ:
            return cls.find(top)
        own = top / ".git"
        try:
            if own.is_dir():
                common = directory = Path(os.path.realpath(own))
                plain = not (directory / "commondir").exists()
            else:
                stated = os.fsdecode(own.read_bytes()).removesuffix("\n")
                directory = Path(os.path.realpath(top / stated.removeprefix("gitdir: ")))
                common = Path(os.path.realpath(directory / os.fsdecode((directory / "commondir").read_bytes()).strip()))
                plain = stated.startswith("gitdir: ")
            plain = plain and (directory / "HEAD").exists() and (common / "objects").is_dir()
        except OSError:
            return cls.find(top)
        named = os.environ.get("GIT_DIR")
        if not plain or (named is not None and os.path.realpath(top / named) != str(directory)):
            return cls.find(top)
        return cls(Path(os.path.realpath(top)), directory, common)

    @property
    def main_root(self) -> Path:
        """The top of the main worktree; of this one, where the repository is bare but for linked worktrees."""
        if self.directory == self.common:
            return self.root
        if self.common.name == ".git":
            return self.common.parent
        configured = self.config("core.worktree", file=self.common / "config")
        return (self.common / configured).resolve() if configured else self.root

    def head(self) -> Head:
        """Read HEAD, from git's files where they are plain, which costs no process; raises GitError."""
        try:
            line = (self.directory / "HEAD").read_text("utf-8").rstrip("\n")
            ref = line.removeprefix("ref: ")
            tip = line if ref == line else (self.common / ref).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return self._head()
        return Head(None if ref == line else ref, tip) if _ID.match(tip) else self._head()

    def _head(self) -> Head:
        done = self._try("rev-parse", "HEAD", "--symbolic-full-name", "HEAD")
        lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
        if done.returncode == 0 and len(lines) == 2:
            return Head(lines[1] if lines[1].startswith("refs/") else None, lines[0])
        ref = self._try("symbolic-ref", "-q", "HEAD").stdout.decode("utf-8", "surrogateescape").strip()
        tip = self._try("rev-parse", "--verify", "-q", "HEAD^{commit}").stdout.decode().strip()
        return Head(ref or None, tip or None)

    def hooks_path(self) -> str:
        """The directory in which git looks for hooks, as a path from the worktree's top; raises GitError."""
        return self.run("rev-parse", "--git-path", "hooks").decode("utf-8", "surrogateescape").rstrip("\n")

    def commit_id(self, revision: str) -> str:
        """The commit that a revision names; raises GitError."""
        done = self._try("rev-parse", "--verify", "-q", "--end-of-options", f"{revision}^{{commit}}")
        if done.returncode:
            raise GitError("rev-parse", f"{revision} is no commit here", remedy="name a branch, a tag or a commit")
        return done.stdout.decode().strip()

    def config(self, name: str, *, file: Path | None = None) -> str | None:
        """A value of git's configuration, None where it is not set."""
        where = ("--file", str(file)) if file else ()
        done = self._try("config", *where, "--get", name)
        return done.stdout.decode("utf-8", "replace").strip() or None

    def default_branch(self) -> str:
        """The branch that origin calls its own, else the one that is configured or checked out."""
        remote = self._try("symbolic-ref", "-q", "refs/remotes/origin/HEAD").stdout.decode("utf-8", "replace").strip()
        if remote:
            return remote.removeprefix("refs/remotes/origin/")
        head = self._try("symbolic-ref", "-q", f"--git-dir={self.common}", "HEAD").stdout
        for name in (self.config("init.defaultBranch"), "main", "master"):
            if name and self._try("rev-parse", "--verify", "-q", f"refs/heads/{name}").returncode == 0:
                return name
        return head.decode("utf-8", "replace").strip().removeprefix("refs/heads/") or "main"

    def first_parents(self, tip: str, *, without: Iterable[str] = (), limit: int | None = None) -> list[str]:
        """The first-parent chain that ends in `tip`, oldest first, without what the commits in `without` reach."""
        excluded = "".join(f"^{commit}\n" for commit in without)
        limits = (f"--max-count={limit}",) if limit else ()
        out = self.run(
            "rev-list", "--first-parent", "--ignore-missing", *limits, "--stdin", data=f"{tip}\n{excluded}".encode()
        )
        return out.decode().split()[::-1]

    def commits(self, tip: str, *, without: Iterable[str] = ()) -> list[Commit]:
        """Every commit that `tip` reaches and none of `without` does, parents first, else the older author time first.

        Each has what it changes of lane sources' files against its first parent. Commits in `without` that are gone
        count for nothing.
        """
        command = [
            "log",
            "--author-date-order",
            "--reverse",
            "--full-history",
            "--sparse",
            "--diff-merges=first-parent",
            "--ignore-missing",
            *_RAW,
            COMMITS,
            "--stdin",
        ]
        revisions = [tip, *(f"^{commit}" for commit in without), "--", *self.sources.pathspecs]
        return list(commits(self.run(*command, data="".join(f"{one}\n" for one in revisions).encode())))

    def touching(self, tip: str, pathspecs: Iterable[str], *, limit: int = 20) -> list[str]:
        """The last commits of a first-parent chain that change something of some files, the newest first."""
        out = self.run("rev-list", "--first-parent", f"--max-count={limit}", tip, "--", *pathspecs)
        return out.decode().split()

    def began(self, tip: str, pathspecs: Iterable[str]) -> datetime | None:
        """The author time of the first commit, on the first-parent chain of `tip`, with one of some files."""
        listed = ("log", "--first-parent", "--diff-merges=first-parent", "--format=%at %ct", tip)
        out = self.run(*listed, "--", *pathspecs)
        lines = out.decode().splitlines()
        return first_moment(lines[-1].split()) if lines else None

    def difference(self, old: str, new: str) -> tuple[tuple[File, ...], tuple[str, ...]]:
        """The difference of two commits in lane sources' files: those as in `new`, and paths that it lacks."""
        out = self.run("diff-tree", "-r", *_RAW, old, new, "--", *self.sources.pathspecs)
        return changes(iter(out.split(b"\0")))

    def dirty(self) -> list[str]:
        """Lane sources' files of which the worktree shows something else than HEAD, ignored ones too."""
        untracked = ("--untracked-files=all", "--ignored=matching")
        out = self.run("status", "--porcelain=v2", "-z", "--no-renames", *untracked, "--", *self.sources.pathspecs)
        fields = {b"1": 8, b"u": 10, b"?": 1, b"!": 1}
        lines = [line for line in out.split(b"\0") if line[:1] in fields]
        paths = [line.split(b" ", fields[line[:1]])[-1] for line in lines]
        return [path.decode("utf-8", "surrogateescape") for path in paths]

    def with_index(self, index: Path) -> Git:
        """The same repository, looked at through another index."""
        other = Git(self.root, self.directory, self.common)
        other._environment |= {"GIT_INDEX_FILE": str(index)}
        other.sources = self.sources
        return other

    def tracks(self, directory: Path) -> bool:
        """Tell whether files in a directory of the worktree are under version control."""
        return bool(self.run("ls-files", "-z", "--", str(directory)))

    def tracked(self, pathspecs: Iterable[str]) -> list[str]:
        """The files under version control that some patterns match."""
        out = self.run("ls-files", "-z", "--", *pathspecs)
        return [path.decode("utf-8", "surrogateescape") for path in out.split(b"\0") if path]

    def staged_units(self) -> list[Unit]:
        """The units in which the index differs from HEAD."""
        tip = self.head().tip or self.run("hash-object", "-t", "tree", "--stdin", data=b"").decode().strip()
        listed = ("diff-index", "--cached", "-r", "--name-only", "-z", "--no-renames", tip)
        out = self.run(*listed, "--", *self.sources.pathspecs)
        units = (self.sources.unit_of(path.decode("utf-8", "surrogateescape")) for path in out.split(b"\0"))
        return sorted({unit for unit in units if unit is not None}, key=lambda unit: (unit.source, unit.feature or ""))

    def staged_files(self, unit: Unit) -> list[File]:
        """A unit's files in the index; of a conflict, ours."""
        out = self.run("ls-files", "--stage", "-z", "--", *(glob.pathspec for glob in self.sources.globs_of(unit)))
        lines = [line.split(b"\t", 1) for line in out.split(b"\0") if line]
        staged = [(meta.decode().split(), path.decode("utf-8", "surrogateescape")) for meta, path in lines]
        return [File(path, mode, blob) for (mode, blob, stage), path in staged if stage in ("0", "2")]

    def exists(self, commit: str) -> bool:
        """Tell whether a commit's object is still there."""
        return self._try("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def root_commits(self) -> set[str]:
        """The first commits of all branches; none in a shallow clone, which doesn't know them."""
        if (self.common / "shallow").exists():
            return set()
        return set(self.run("rev-list", "--max-parents=0", "--all").decode().split())

    def parents(self, commit: str) -> list[str]:
        """The parents of a commit, in their order; raises GitError."""
        return self.run("rev-list", "--parents", "--max-count=1", commit).decode().split()[1:]

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether `new` reaches `old`; False also where one of them is gone."""
        return self._try("merge-base", "--is-ancestor", old, new).returncode == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """A commit that both reach, as late as can be; None where there is none."""
        return self._try("merge-base", one, other).stdout.decode().strip() or None

    def worktrees(self) -> list[Path]:
        """The tops of all worktrees, the main one first; some may be gone from the disk."""
        out = self.run("worktree", "list", "--porcelain", "-z").split(b"\0")
        paths = [line.removeprefix(b"worktree ") for line in out if line.startswith(b"worktree ")]
        if b"bare" in out:
            paths = paths[1:]
        return [Path(os.fsdecode(path)) for path in paths]

    def branches(self, *, at: str | None = None) -> set[str]:
        """The full names of all local branches, or of those that are at a commit."""
        points = (f"--points-at={at}",) if at is not None else ()
        out = self.run("for-each-ref", "--format=%(refname)", *points, "refs/heads")
        return set(out.decode("utf-8", "surrogateescape").splitlines())

    def not_reached(self, commits: Iterable[str], tips: Iterable[str], *, nor_remotes: bool = False) -> set[str]:
        """Those of some commits that none of `tips` reaches, and with `nor_remotes` no remote-tracking branch."""
        wanted = set(commits)
        listed = "".join([*(f"{commit}\n" for commit in wanted), *(f"^{commit}\n" for commit in tips)])
        remotes = ("--not", "--remotes") if nor_remotes else ()
        out = self.run("rev-list", "--ignore-missing", "--stdin", *remotes, data=listed.encode())
        return wanted & set(out.decode().split())

    def reached(self, commits: Iterable[str], tip: str) -> set[str]:
        """Those of some commits that `tip` reaches; commits that are gone reach nothing, and nothing reaches them."""
        wanted = set(commits)
        asked = "".join(f"{commit}\n" for commit in (*wanted, tip)).encode()
        listed = self.run("cat-file", "--batch-check", data=asked).decode().splitlines()
        there = {line.split()[0] for line in listed if line.split()[1:2] == ["commit"]}
        wanted &= there
        if not wanted or tip not in there:
            return set()
        out = self.run("rev-list", "--stdin", data=("\n".join([*wanted, f"^{tip}"]) + "\n").encode())
        return wanted - set(out.decode().split())

    def files(self, commit: str) -> list[File]:
        """The files in a commit among which all of the lane sources' are."""
        out = self.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *self.sources.tops)
        return [listed(line) for line in out.split(b"\0") if line]

    def file(self, revision: str, path: str) -> File | None:
        """A file in a commit, None where either isn't there."""
        done = self._try("ls-tree", "-z", "--full-tree", revision, "--", f":(literal){path}")
        lines = [line for line in done.stdout.split(b"\0") if line] if done.returncode == 0 else []
        return listed(lines[0]) if lines else None

    def run(self, *command: str, data: bytes | None = None) -> bytes:
        """Run a git command that only reads, with `data` on its input; returns what it prints. Raises GitError."""
        done = self._try(*command, data=data)
        if done.returncode:
            raise GitError(command[0], _last_line(done.stderr))
        return done.stdout

    def objects(self) -> Objects:
        """A reader of objects; close it."""
        return Objects(self._serve)

    def _serve(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", *_OFFLINE, "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.root,
            env=self._environment,
        )

    @property
    def is_shallow(self) -> bool:
        """Whether history ends somewhere because it was not fetched."""
        return (self.common / "shallow").exists()

    @property
    def is_grafted(self) -> bool:
        """Tell whether commits may have other parents than their objects state: grafts, or a shallow clone."""
        return (self.common / "shallow").exists() or (self.common / "info" / "grafts").exists()

    def _try(self, *command: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return _run(command, self.root, self._environment, data)


def clean_environment() -> dict[str, str]:
    """The environment without what ties git to a repository, and with what keeps it quiet."""
    return {name: value for name, value in os.environ.items() if name not in LOCAL_VARIABLES} | _QUIET


def _run(
    command: Iterable[str], directory: Path, environment: dict[str, str], data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *_CONFIG, *_OFFLINE, *command],
        cwd=directory,
        env=environment,
        input=data if data is not None else b"",
        capture_output=True,
        check=False,
    )


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("fatal: ").removeprefix("error: ").strip() if lines else "failed without a word"
