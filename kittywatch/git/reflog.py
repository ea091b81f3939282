"""The reflogs' record of the commits that were made here (rule O3) and of the branches that HEAD was on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from kittywatch.startup.patterns import pattern

# Every way in which git records that a commit came into being here. The rest moved HEAD to one that was there.
_MADE = pattern(
    rb"commit\b|revert\b|am\b|cherry-pick(?!: fast-forward)"
    rb"|(?:rebase|pull)\b.*\((?:pick|squash|fixup|reword|edit|merge|continue|exec)\)"
    rb"|.*: Merge made by "
)
_HOOKED = pattern(rb"commit\b|revert\b|cherry-pick(?!: fast-forward)|.*: Merge made by ")
_MOVED = pattern(rb"checkout: moving from (\S+) to (\S+)")
_ARRIVED = pattern(rb"(?:pull|clone|fetch)\b")
_REBASE_BEGAN = pattern(rb"(?:rebase|pull)\b.*\(start\)")
_LONGEST = 8192  # bytes of a log's end in which its last line is looked for


class Entry(Struct, frozen=True):
    """One line: HEAD (or a branch) went from `old` to `new`; `message` says how."""

    old: str
    new: str
    message: bytes

    @property
    def made(self) -> bool:
        """True if the commit came into being here with it (rule O3)."""
        return bool(_MADE.match(self.message))

    @property
    def hooked(self) -> bool:
        """Whether a hook that looks ran after it: not for each pick of a rebase."""
        return bool(_HOOKED.match(self.message))

    @property
    def moved(self) -> bool:
        """True if HEAD went to another branch with it."""
        return bool(_MOVED.match(self.message))

    @property
    def begins_rebase(self) -> bool:
        """True if a rebase begins with it."""
        return bool(_REBASE_BEGAN.match(self.message))

    @property
    def arrived(self) -> bool:
        """True if commits came in with it from elsewhere."""
        return bool(_ARRIVED.match(self.message)) and not self.made


class Stay(Struct, frozen=True):
    """A stretch of time that HEAD spent on one branch (a full name, or None when detached), and where it ended.

    `start` is the commit that HEAD came to, None where it was there before.
    """

    ref: str | None
    tip: str | None
    entries: tuple[Entry, ...]
    start: str | None = None


def head_log(directory: Path) -> Path:
    """The path of HEAD's log in a worktree's git directory."""
    return directory / "logs" / "HEAD"


def size(log: Path) -> int:
    """The bytes in a log now, 0 where there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def read(log: Path, *, start: int = 0, end: int | None = None) -> list[Entry]:
    """The entries of a log file between two of its sizes; [] where there is none.

    A log that is shorter than `start` was rewritten, and is read from its beginning.
    """
    try:
        with log.open("rb") as file:
            if start and size(log) >= start:
                file.seek(start)
            data = file.read(-1 if end is None else max(end - file.tell(), 0))
    except OSError:
        return []
    return list(_entries(data))


def last(log: Path) -> Entry | None:
    """The last entry of a log file, None where there is none."""
    entries = read(log, start=max(size(log) - _LONGEST, 0))
    return entries[-1] if entries else None


def made_here(common: Path) -> set[str]:
    """Every commit that some reflog of the repository, of HEAD in any worktree or of a branch, records as made."""
    logs = [common / "logs" / "HEAD", *(common / "worktrees").glob("*/logs/HEAD")]
    heads = common / "logs" / "refs" / "heads"
    logs += [path for path in heads.rglob("*") if path.is_file()]
    return {entry.new for log in logs for entry in read(log) if entry.made}


def begun_anew(common: Path, ref: str, tip: str) -> bool:
    """Tell whether a branch that once was at `tip` was deleted, and another got its name and a log of its own."""
    entries = read(common / "logs" / ref)
    return bool(entries) and not entries[0].old.strip("0") and all(entry.new != tip for entry in entries)


def remote_tips(common: Path) -> set[str]:
    """Every commit that a remote-tracking branch was ever at, as far as its log goes: upstream may be rewritten."""
    logs = (common / "logs" / "refs" / "remotes").rglob("*")
    tips = {tip for log in logs if log.is_file() for entry in read(log) for tip in (entry.old, entry.new)}
    return {tip for tip in tips if tip.strip("0")}


def stays(entries: Iterable[Entry], branches: set[str]) -> list[Stay]:
    """The stretches of which the entries say something, and the last one, of which they don't say what HEAD is on.

    `branches` are the full names of the branches that there are. The entry with which HEAD left says what it was on:
    the one with which it came names a branch too where HEAD was detached at it.
    """
    found: list[Stay] = []
    current: list[Entry] = []
    start = None
    for entry in entries:
        moved = _MOVED.match(entry.message)
        if moved is None:
            current.append(entry)
            continue
        if current:
            name = "refs/heads/" + moved[1].decode("utf-8", "surrogateescape")
            found.append(Stay(name if name in branches else None, entry.old, tuple(current), start))
        current, start = [], entry.new
    return [*found, Stay(None, current[-1].new if current else start, tuple(current), start)]


def _entries(data: bytes) -> Iterator[Entry]:
    for line in data.splitlines():
        head, _, message = line.partition(b"\t")
        parts = head.split(b" ", 2)
        if len(parts) == 3:
            yield Entry(parts[0].decode("ascii", "replace"), parts[1].decode("ascii", "replace"), message)
