"""What precedes what among commits, for many questions about few commits.

The commits of a walk are given with their parents, parents first; all else is asked of git, once for each commit at
which the walk ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kittywatch.git.repository import Git


class Ancestry:
    """Answers `precedes`. `asked` are the commits outside of the walk that questions will be about.

    Each commit of the walk that may be asked for has a bit, and so has each parent at which the walk ends; a commit's
    mask has the bits of all that precedes it.
    """

    def __init__(
        self, git: Git, walk: Mapping[str, Sequence[str]], *, marked: Iterable[str], asked: Iterable[str]
    ) -> None:
        self._git = git
        self._walk = walk
        self._asked = set(asked) - walk.keys()
        self._bits: dict[str, int] = {}
        self._masks: dict[str, int] = {}
        self._ends: list[str] = []
        self._outside: dict[str, frozenset[str]] = {}
        self._pairs: dict[tuple[str, str], bool] = {}
        self._mark(walk, set(marked))

    def _mark(self, walk: Mapping[str, Sequence[str]], marked: set[str]) -> None:
        """Compute the mask of each commit of the walk; only those of marked ones are kept."""
        left: dict[str, int] = {}
        for parents in walk.values():
            for parent in parents:
                left[parent] = left.get(parent, 0) + 1
        masks: dict[str, int] = {}
        for commit, parents in walk.items():
            mask = 0
            for parent in parents:
                if parent not in walk:
                    if parent not in self._bits:
                        self._ends.append(parent)
                    mask |= self._bit(parent)
                    continue
                mask |= masks[parent] | (self._bit(parent) if parent in marked else 0)
                left[parent] -= 1
                if not left[parent] and parent not in marked:
                    del masks[parent]
            masks[commit] = mask
            if commit in marked:
                self._bit(commit)  # also of one without children, which precedes nothing
        self._masks = masks

    def _bit(self, commit: str) -> int:
        return self._bits.setdefault(commit, 1 << len(self._bits))

    def precedes(self, old: str, new: str) -> bool:
        """Whether `old` is a proper ancestor of `new`; a commit that is gone precedes nothing."""
        if old == new:
            return False
        mask = self._masks.get(new)
        if mask is None:
            return self._reaches(new, old)
        bit = self._bits.get(old)
        if bit is not None and mask & bit:
            return True
        if old in self._walk:
            return bit is None and self._ask(old, new)
        ends = (end for end in self._ends if mask & self._bits[end])
        return any(old == end or self._reaches(end, old) for end in ends)

    def _reaches(self, end: str, old: str) -> bool:
        """Whether a commit outside of the walk reaches `old`."""
        if old not in self._asked:
            return self._ask(old, end)
        if end not in self._outside:
            self._outside[end] = frozenset(self._git.reached(self._asked, end))
        return old in self._outside[end]

    def _ask(self, old: str, new: str) -> bool:
        pair = (old, new)
        if pair not in self._pairs:
            self._pairs[pair] = old != new and self._git.is_ancestor(old, new)
        return self._pairs[pair]
