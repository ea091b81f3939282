"""What a checkout showed when the machine last looked at it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.stateful.model import Content, Key, State


@dataclass
class Seen:
    """What a checkout showed when it was last looked at; `plain` says that only edits and commits came since.

    `under` are work packages that differ from the commit because HEAD was moved under them: whether to commit them is a
    step depends on whether somebody looked in between (rule O4).
    """

    branch: str
    tip: str
    committed: State
    files: State
    plain: bool = True
    under: frozenset[Key] = frozenset()


def slid_under(before: Seen | None, key: Key, content: Content, committed: State) -> bool:
    """Whether a file that stayed as it was differs now from a commit that HEAD was moved to."""
    if before is None or content == committed.get(key) or before.files.get(key) != content:
        return False
    return key in before.under or before.committed.get(key) != committed.get(key)
