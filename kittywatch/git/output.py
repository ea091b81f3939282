"""git's output formats, everything NUL-separated, read as commits and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from msgspec import Struct

COMMITS = "--format=tformat:%x01%H %P%x01%at %ct"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class File(Struct, frozen=True):
    """A file in a tree or of a change: its path from the project's root, git's mode and blob."""

    path: str
    mode: str
    blob: str

    @property
    def is_regular(self) -> bool:
        return self.mode.startswith("100")


class Commit(Struct, frozen=True):
    """A commit with what it changed under kitty-specs/ against its first parent; `removed` are paths."""

    id: str
    parents: tuple[str, ...]
    moment: datetime
    changed: tuple[File, ...] = ()
    removed: tuple[str, ...] = ()


def commits(out: bytes) -> Iterator[Commit]:
    """The commits of a log in the format `COMMITS`, each with the files that it changes."""
    parts = iter(out.split(b"\0"))
    header: bytes | None = next(parts, None)
    while header:
        ids, moment = header.decode().strip().removeprefix("\x01").split("\x01")
        raw: list[bytes] = []
        header = None
        for part in parts:
            if part.startswith(b"\x01"):
                header = part
                break
            raw.append(part)
        changed, removed = changes(iter(raw))
        commit, *parents = ids.split()
        yield Commit(commit, tuple(parents), first_moment(moment.split(" ")), changed, removed)


def first_moment(stated: Iterable[str]) -> datetime:
    """The first of some times that is one: what old tools wrote into commits may be out of every range, or nothing."""
    for seconds in stated:
        try:
            moment = datetime.fromtimestamp(int(seconds), UTC)
        except (ValueError, OverflowError, OSError):
            continue
        if moment >= _EPOCH:
            return moment
    return _EPOCH


def changes(parts: Iterator[bytes]) -> tuple[tuple[File, ...], tuple[str, ...]]:
    """The files that there are after a difference in git's raw format, and the paths that there are no more."""
    changed, removed = [], []
    for part in parts:
        meta = part.strip()
        if not meta:
            continue
        _, mode, _, blob, status = meta.removeprefix(b":").decode().split()
        path = next(parts).decode("utf-8", "surrogateescape")
        if status.startswith("D"):
            removed.append(path)
        else:
            changed.append(File(path, mode, blob))
    return tuple(changed), tuple(removed)


def listed(line: bytes) -> File:
    """A file of a tree that git lists."""
    meta, path = line.split(b"\t", 1)
    mode, _, blob = meta.decode().split()
    return File(path.decode("utf-8", "surrogateescape"), mode, blob)
