"""Whose news a commit is (rule O3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path

from kittywatch.derive.snapshot import Origin
from kittywatch.git import reflog
from kittywatch.git.repository import Git


class Origins:
    """Says of commits where they were made.

    `entries` are what a checkout's HEAD log says since it was last looked at, `told` gives those of some commits that
    are known to have brought something.
    """

    def __init__(self, git: Git, entries: Sequence[reflog.Entry], told: Callable[[Set[str]], set[str]]) -> None:
        self.git = git
        self._told = told
        self._made = {entry.new for entry in entries if entry.made}
        self._arrived = any(entry.arrived for entry in entries)
        self._made_everywhere: set[str] | None = None

    def told_before(self, origins: Mapping[str, Origin], log: Path, old: str | None) -> set[str]:
        """Those of some commits made here that came to a view as they were, and were told in another one (rule O2).

        `log` is the view's reflog, `old` the commit that it showed. What it had before, and lost, is news when it comes
        again (rule O5).
        """
        ready = {commit for commit, origin in origins.items() if origin == "here" and commit not in self._made}
        told = self._told(ready) if ready else set()
        return self.git.not_reached(told, reflog.tips_until(log, old)) if told else set()

    def of(self, commits: Iterable[str]) -> dict[str, Origin]:
        """Made here is what a reflog records as made; without a record, what neither a remote-tracking branch reaches
        nor came in with a pull. What was made and told before, taken back, and is pulled again, is not made again.
        """
        wanted = list(commits)
        origins: dict[str, Origin] = dict.fromkeys(wanted, "here")
        unmade = [commit for commit in wanted if commit not in self._made]
        if unmade:
            if self._made_everywhere is None:
                self._made_everywhere = reflog.made_here(self.git.common)
            before = {commit for commit in unmade if commit in self._made_everywhere} if self._arrived else set()
            origins.update(dict.fromkeys(self._told(before) if before else (), "elsewhere"))
            unmade = [commit for commit in unmade if commit not in self._made_everywhere]
        if unmade:
            once = reflog.remote_tips(self.git.common)
            local = set() if self._arrived else self.git.not_reached(unmade, once, nor_remotes=True)
            origins.update({commit: "elsewhere" for commit in unmade if commit not in local})
        return origins


def horizon(origins: Mapping[str, Origin]) -> list[str]:
    """The last commit of a chain that came in from elsewhere, if one did."""
    return [commit for commit, origin in origins.items() if origin == "elsewhere"][-1:]
