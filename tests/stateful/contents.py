"""Work packages as files, and what repositories say of them, read without our code and without a process a time."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stateful.model import LANES, Content, Key, State, lane_of

FEATURE = "001-login"
OTHER_FEATURE = "002-search"
_FILLER = "\n\nOne line.\n\nAnother line.\n\n"


def render(wp_id: str, content: Content, *, written: str | None = None, remark: int = 0) -> str:
    """A work package's file; `written` is how its lane is written, "" for not at all."""
    stated = content.lane if written is None else written
    lane = f"lane: {stated}\n" if stated else ""
    records = "".join(f"- {time} – agent – lane={to} – moved\n" for time, to in content.trail)
    head = f"---\nwork_package_id: {wp_id}\ntitle: Work\n{lane}---\n\n"
    return f"{head}Remark {remark}.{_FILLER}Edit {content.serial}.{_FILLER}## Activity Log\n\n{records}"


def parse(text: str, directory: str = "") -> Content:
    """The inverse of `render`; `directory` is the lane's, in the old layout."""
    lines = text.splitlines()
    written = next((line.removeprefix("lane: ") for line in lines if line.startswith("lane: ")), directory)
    serial = next((line[5:-1] for line in lines if line.startswith("Edit ")), "0")
    records = [line.removeprefix("- ").split(" – ") for line in lines if line.startswith("- ")]
    trail = tuple((one[0], one[2].removeprefix("lane=")) for one in records if len(one) == 4)
    return Content(lane_of(written), trail, int(serial))


def state_of(files: dict[str, str]) -> State:
    """What files say, by their paths from the project's top; the first of one id counts (rule R6)."""
    found: dict[Key, Content] = {}
    for path, text in sorted(files.items()):
        parts = path.split("/")
        directory = parts[3] if len(parts) == 5 else ""
        key = key_of(path, text)
        if key not in found and (not directory or directory in LANES):
            found[key] = parse(text, directory)
    return found


def key_of(path: str, text: str) -> Key:
    """Which work package a file is (rule R2); git may take another's file for a renamed one, and bring it there."""
    stated = next((line[17:].strip() for line in text.splitlines() if line.startswith("work_package_id: ")), "")
    return path.split("/")[1], stated or path.rsplit("/", 1)[1][:4]


def odd(files: Mapping[str, str]) -> set[Key]:
    """The work packages that have more than one file, or one that git has merged with a renamed one and left its marks
    of a conflict in, without saying that it is in conflict.
    """
    counted = Counter(key_of(path, text) for path, text in files.items())
    marked = {key_of(path, text) for path, text in files.items() if "<<<<<<<" in text}
    return {key for key, number in counted.items() if number > 1} | marked


def files_in(root: Path) -> dict[str, str]:
    """The work packages' files in a worktree."""
    found = [*(root / "kitty-specs").glob("*/tasks/WP*.md"), *(root / "kitty-specs").glob("*/tasks/*/WP*.md")]
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in found}


@dataclass(frozen=True)
class Made:
    """A commit: its parents, when its author made it, and when and by which clone it was committed."""

    parents: tuple[str, ...]
    tree: str
    authored: int
    committed: int
    committer: str


class Objects:
    """The objects of one clone; what was read is shared by all, for it never changes."""

    commits: dict[str, Made]
    files: dict[str, dict[str, str]]

    def __init__(self, root: Path, commits: dict[str, Made], files: dict[str, dict[str, str]]) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self.commits = commits
        self.files = files

    def commit(self, name: str) -> Made:
        if name not in self.commits:
            head = self._read(name)[1].split(b"\n\n", 1)[0].decode().splitlines()
            fields = [line.partition(" ") for line in head]
            people = {word: rest.rsplit(" ", 2) for word, _, rest in fields if word in ("author", "committer")}
            self.commits[name] = Made(
                tuple(rest for word, _, rest in fields if word == "parent"),
                fields[0][2],
                int(people["author"][1]),
                int(people["committer"][1]),
                people["committer"][0].partition(" <")[0],
            )
        return self.commits[name]

    def state(self, commit: str) -> State:
        """What a commit says."""
        return state_of(self.paths(commit))

    def paths(self, commit: str) -> dict[str, str]:
        """The work packages' files of a commit."""
        tree = self.commit(commit).tree
        if tree not in self.files:
            self.files[tree] = self._below(tree, "")
        return self.files[tree]

    def between(self, old: str, new: str) -> list[str] | None:
        """The commits on the first-parent chain after `old`, oldest first; None where a merge is in between."""
        found: list[str] = []
        while new != old:
            found.append(new)
            parents = self.commit(new).parents
            if len(parents) != 1:
                return None
            new = parents[0]
        return found[::-1]

    def since(self, tip: str, tick: int) -> list[str]:
        """The commits that `tip` reaches and that were committed after a tick, oldest first."""
        found: dict[str, int] = {}
        left = [tip]
        while left:
            name = left.pop()
            made = self.commit(name)
            if made.committed > tick and name not in found:
                found[name] = made.committed
                left += made.parents
        upwards = list(found)[::-1]  # of two in a second, the parent first
        return sorted(upwards, key=lambda name: found[name])

    def reaches(self, new: str, old: str) -> bool:
        """Whether `old` is `new` or one of its ancestors."""
        seen: set[str] = set()
        left = [new]
        while left:
            name = left.pop()
            if name == old:
                return True
            if name not in seen:
                seen.add(name)
                left += self.commit(name).parents
        return False

    def changes(self, new: str, old: str, *, but: Container[str] = ()) -> dict[Key, list[Content]]:
        """What the commits that `new` reaches and `old` doesn't made of the work packages that they changed."""
        found: dict[Key, list[Content]] = {}
        seen: set[str] = set()
        left = [new]
        while left:
            name = left.pop()
            if name not in seen and not self.reaches(old, name):
                seen.add(name)
                parents = self.commit(name).parents
                left += parents
                before, after = [self.state(parent) for parent in parents], self.state(name)
                for key, content in after.items():
                    if name not in but and all(side.get(key) != content for side in before):
                        found.setdefault(key, []).append(content)
        return found

    def close(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def _below(self, tree: str, path: str) -> dict[str, str]:
        found: dict[str, str] = {}
        data = self._read(tree)[1]
        while data:
            head, _, rest = data.partition(b"\0")
            name = head.split(b" ", 1)[1].decode()
            entry, data = rest[:20].hex(), rest[20:]
            if path.count("/") == 0 and name != "kitty-specs":
                continue
            if head.startswith(b"40000"):
                found |= self._below(entry, f"{path}{name}/")
            elif name.startswith("WP") and "/tasks/" in path:
                found[path + name] = self._read(entry)[1].decode()
        return found

    def _read(self, name: str) -> tuple[str, bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                ["git", "cat-file", "--batch"], cwd=self._root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name}\n".encode())
        self._process.stdin.flush()
        _, kind, size = self._process.stdout.readline().decode().split()
        data = self._process.stdout.read(int(size) + 1)[:-1]
        return kind, data


def references(directory: Path) -> dict[str, str]:
    """Each reference of a repository with its commit, from git's own files."""
    found: dict[str, str] = {}
    packed = directory / "packed-refs"
    if packed.exists():
        for line in packed.read_text("utf-8").splitlines():
            if line[0] not in "#^":
                commit, _, name = line.partition(" ")
                found[name] = commit
    for kind in ("heads", "remotes"):
        for path in sorted((directory / "refs" / kind).rglob("*")):
            if path.is_file() and not path.name.endswith(".lock"):
                value = path.read_text("utf-8").strip()
                if not value.startswith("ref: "):
                    found[path.relative_to(directory).as_posix()] = value
    return found
