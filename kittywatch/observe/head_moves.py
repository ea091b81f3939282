"""Where HEAD has been since a checkout was last looked at: the views that are looked at one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from kittywatch.git import reflog
from kittywatch.git.repository import Git, Head
from kittywatch.observe.names import ref_name


class Visit(Struct, frozen=True):
    """A view as it was at a commit. `came` is the commit that HEAD came to on its way here, None where it was there."""

    ref: str
    tip: str | None
    came: str | None = None


def head_moves(git: Git, head: Head, entries: Sequence[reflog.Entry], *, each_commit: bool = False) -> Iterator[Visit]:
    """The ends of HEAD's stays on branches, and where it is now, the last one; raises GitError.

    `entries` are what HEAD's log says since the last look. With `each_commit`, a commit that was made within a stay and
    left behind in it, by a reset or an amendment, is a visit too: a hook ran then (scenario 55).
    """
    *stays, last = reflog.stays(entries, git.branches() if any(entry.moved for entry in entries) else set())
    for stay in stays:
        if stay.tip is not None and git.exists(stay.tip):
            yield from _during(git, stay, ref_name(stay.ref), stay.tip, each_commit=each_commit)
    yield from _during(git, last, ref_name(head.ref), head.tip, each_commit=each_commit)


def _during(git: Git, stay: reflog.Stay, ref: str, tip: str | None, *, each_commit: bool) -> Iterator[Visit]:
    came = stay.start
    made = [entry.new for entry in stay.entries if entry.hooked and entry.new != tip] if each_commit else []
    if made and tip is not None:
        kept = git.reached(made, tip)
        for commit in made:
            if commit not in kept and git.exists(commit):
                yield Visit(ref, commit, came)
                came = None
    yield Visit(ref, tip, came)
