"""Concurrent moves: a step and an entry of the same lane, of which neither happened before the other (rule B2)."""

from __future__ import annotations

from kittywatch.derive.changes import Key
from kittywatch.derive.ledger import RECONCILED, CommitGraph, Entry, LedgerState, behind


class Copies:
    """The commits of one range by the identities that their steps have: copies of each other, on different sides."""

    def __init__(self) -> None:
        self._commits: dict[tuple[Key, str], set[str]] = {}

    def add(self, key: Key, name: str, commit: str) -> None:
        """Note that a commit has a step with the identity `name`."""
        self._commits.setdefault((key, name), set()).add(commit)

    def of(self, key: Key, name: str, commit: str, graph: CommitGraph) -> list[str]:
        """The commits that have the step of `commit` as well, and are concurrent with it."""
        same = self._commits.get((key, name), set()) - {commit}
        return [one for one in same if not graph.precedes(one, commit) and not graph.precedes(commit, one)]


def is_concurrent(entry: Entry, graph: CommitGraph, commit: str | None, tip: str | None) -> bool:
    """Whether neither an entry nor a commit happened before the other; for an edit on top of `tip` `commit` is None.

    What descends from the commit below an edit is concurrent with the edit.
    """
    if entry.status == "void" or behind(entry, commit or tip, graph, inclusive=commit is None):
        return False
    if _is_reconciled(entry, commit or tip, graph):
        return False
    if commit is None:
        return bool(entry.links) or entry.edited_on is not None
    seen_on = entry.commits or ({entry.edited_on} if entry.edited_on else set())
    return bool(seen_on) and not any(one == commit or graph.precedes(commit, one) for one in seen_on)


def _is_reconciled(entry: Entry, seen: str | None, graph: CommitGraph) -> bool:
    """Whether the lane of an entry was left by a reconciliation in the past of what is looked at."""
    marks = [commit for commit, lane in entry.links if lane == RECONCILED]
    return seen is not None and any(mark == seen or graph.precedes(mark, seen) for mark in marks)


def join_past(state: LedgerState, key: Key, entry: Entry, commit: str, graph: CommitGraph) -> None:
    """Let a commit contain what happened before an entry on that entry's side: a squash has it in it."""
    for other in state.history(key).entries:
        if other is entry or other.status == "void" or behind(other, commit, graph, inclusive=True):
            continue
        if any(behind(other, one, graph) for one in entry.commits):
            state.link(key, other, commit)
