"""Whose news a commit is (rule O3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from kittywatch.derive.changes import Provenance
from kittywatch.git import reflog
from kittywatch.git.repository import Git


class Origins:
    """Says of commits where they were made.

    `entries` are what a checkout's HEAD log says since it was last looked at, `introduced` gives those of some commits
    that are known to have introduced something.
    """

    def __init__(self, git: Git, entries: Sequence[reflog.Entry], introduced: Callable[[Set[str]], set[str]]) -> None:
        self.git = git
        self._introduced = introduced
        self._made = {entry.new for entry in entries if entry.made}
        self._arrived = any(entry.arrived for entry in entries)
        self._last = entries[-1] if entries else None
        self._made_everywhere: set[str] | None = None

    def recorded(self, commits: Iterable[str]) -> set[str]:
        """Those of some commits that a reflog records as made here."""
        wanted = set(commits)
        missing = wanted - self._made
        return wanted & self._made | (missing & self._everywhere() if missing else set())

    def pulled(self, tip: str) -> str | None:
        """The commit that a pull, the last thing that happened, brought HEAD from to `tip`; None where none did."""
        return self._last.old if self._last is not None and self._last.arrived and self._last.new == tip else None

    def _everywhere(self) -> set[str]:
        if self._made_everywhere is None:
            self._made_everywhere = reflog.made_here(self.git.common)
        return self._made_everywhere

    def of(self, commits: Iterable[str]) -> dict[str, Provenance]:
        """Made here is what a reflog records as made; without a record, what neither a remote-tracking branch reaches
        nor came in with a pull. What was made and emitted before, taken back, and is pulled again, is not made again.
        """
        wanted = list(commits)
        found = dict.fromkeys(wanted, Provenance.LOCAL)
        unmade = [commit for commit in wanted if commit not in self._made]
        if unmade:
            before = {commit for commit in unmade if commit in self._everywhere()} if self._arrived else set()
            found.update(dict.fromkeys(self._introduced(before) if before else (), Provenance.REMOTE))
            unmade = [commit for commit in unmade if commit not in self._everywhere()]
        if unmade:
            once = reflog.remote_tips(self.git.common)
            local = set() if self._arrived else self.git.not_reached(unmade, once, nor_remotes=True)
            found.update({commit: Provenance.REMOTE for commit in unmade if commit not in local})
        return found
