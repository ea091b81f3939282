"""Objects of a repository, from one `git cat-file --batch` that is asked for one after the other.

A process of git costs as much as hundreds of answers of one that is there. So what a hook needs of a short stretch of
history is put together here from commits and trees; whatever is out of the ordinary is left to git's own commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, TypeAlias

from msgspec import Struct

from kittywatch.errors import GitError
from kittywatch.workpackages.text import MAX_BYTES

if TYPE_CHECKING:
    import subprocess

Tree: TypeAlias = "dict[str, Entry]"

_QUESTIONS = 500  # at once: more than a pipe holds would wait for answers that nobody reads yet
_DIRECTORY, _SUBMODULE = "40000", "160000"
_FARTHEST_SECOND = 1 << 38  # git and datetime agree on what comes before


class Entry(Struct, frozen=True):
    """One entry of a tree: git's mode, and the id of a blob, a tree or a submodule's commit."""

    mode: str
    id: str

    @property
    def is_directory(self) -> bool:
        return self.mode == _DIRECTORY

    @property
    def is_submodule(self) -> bool:
        return self.mode == _SUBMODULE


class Stated(Struct, frozen=True):
    """What a commit's object states; `seconds` since 1970 is when its author made it, `committed` when it was."""

    tree: str
    parents: tuple[str, ...]
    seconds: int
    committed: int


class Objects:
    """One process, begun at the first question. `start` starts it."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait()

    def read(self, name: str, most: int = MAX_BYTES) -> bytes | None:
        """The blob that an id or `commit:path` names, cut a byte after `most`; None where there is none."""
        return next(self.read_many([name], most))

    def read_many(self, names: Iterable[str], most: int = MAX_BYTES) -> Iterator[bytes | None]:
        """The same for many, in their order; faster, because git needn't wait for each question."""
        for kind, data in self._ask(names, most):
            yield data if kind == b"blob" else None

    def commit(self, name: str) -> Stated | None:
        """A commit by its id, None where it is none, or is too odd to be read here."""
        kind, data = next(self._ask([name]))
        return _stated(data) if kind == b"commit" and data is not None else None

    def tree(self, name: str) -> Tree | None:
        """A tree by its id, None where it is none, or is too large or too odd to be read here."""
        kind, data = next(self._ask([name]))
        if kind != b"tree" or data is None or len(data) > MAX_BYTES:
            return None
        try:
            return dict(_entries(data, len(name) // 2))
        except ValueError:  # not a tree's form: git is asked then, and says so
            return None

    def _ask(self, names: Iterable[str], most: int = MAX_BYTES) -> Iterator[tuple[bytes, bytes | None]]:
        for asked in _chunks([name for name in names if "\n" not in name], _QUESTIONS):
            if self._process is None:
                self._process = self._start()
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write("".join(f"{name}\n" for name in asked).encode("utf-8", "surrogateescape"))
                process.stdin.flush()
            except BrokenPipeError:
                raise _missing() from None
            for _ in asked:
                yield _answer(process.stdout, most)


def _missing() -> GitError:
    """git ended without an answer: it does where it would have to fetch."""
    return GitError(
        "cat-file",
        "objects are missing here, as in a partial clone (--filter)",
        remedy="`git fetch --refetch --no-filter`, then run this again",
    )


def _answer(out: IO[bytes], most: int) -> tuple[bytes, bytes | None]:
    line = out.readline()
    if not line:
        raise _missing()
    header = line.split()
    if len(header) != 3 or not header[2].isdigit():
        return b"missing", None
    size = int(header[2])
    data = out.read(min(size, most + 1))
    rest = size - len(data) + 1
    while rest > 0 and (skipped := out.read(min(rest, MAX_BYTES))):
        rest -= len(skipped)
    return header[1], data


def _chunks(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _stated(data: bytes) -> Stated | None:
    tree, parents = "", []
    moments: dict[bytes, int | None] = {}
    for line in data.split(b"\n\n", 1)[0].split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = value.decode("ascii", "replace")
        elif key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key in (b"author", b"committer"):
            moments.setdefault(key, _seconds(value))
    made, committed = moments.get(b"author"), moments.get(b"committer")
    return None if made is None else Stated(tree, tuple(parents), made, made if committed is None else committed)


def _seconds(person: bytes) -> int | None:
    """When a person did what a commit states, None where that is out of the ordinary."""
    seconds = person.rsplit(b" ", 2)[-2:][0]
    plain = seconds.isdigit() and len(seconds) < 20 and b">" not in person.rpartition(b"> ")[2]
    return int(seconds) if plain and int(seconds) < _FARTHEST_SECOND else None


def _entries(data: bytes, id_size: int) -> Iterator[tuple[str, Entry]]:
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        at = end + 1 + id_size
        yield name.decode("utf-8", "surrogateescape"), Entry(mode.decode("ascii"), data[end + 1 : at].hex())
