"""The machine's core: what was done is told to the model, observers look (`looking.py`), and what they told is checked.

Every operation does one thing in one checkout. It is drawn from those that are possible where the checkouts are, tells
the model what it made, lets those observers look that are on, and checks what they told. What is hard to foresee
(rebases, merges with conflicts, picks) is not `plain`: then the model bounds from above, follows the lines of the work
packages, and asks that nothing is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.stateful.bench import CLOCK, Checkout, Repository, Situation
from tests.stateful.contents import odd, references
from tests.stateful.line import Line
from tests.stateful.looking import Looking, past
from tests.stateful.model import LANES, Content, Home, Key, State

Kind: TypeAlias = Literal["edit", "navigate", "undo", "integrate", "rewrite"]
"""What an operation does to lanes.

An edit makes what differs in the files; one that navigates makes nothing; one that undoes makes all that differs, a
second time; one that integrates or rewrites commits makes what no side of it had, and a rewrite may take back.
"""


@dataclass
class Doing:
    """An operation under way: the paths in which it met a conflict, and whether its last hook comes at its end."""

    conflicts: set[str] = field(default_factory=set)
    complete: bool = True


def operation(options: Callable[[Any], Sequence[Any]], **drawn: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that runs where it has options, with one of them and with what else is drawn."""

    def decorate(method: Callable[..., None]) -> Any:
        def run(self: Driving, pick: int, **values: Any) -> None:
            found = options(self)
            before = self.mark()
            method(self, found[pick % len(found)], **values)
            self.done[method.__name__] += 1
            self.idle[method.__name__] += self.mark() == before

        run.__name__ = method.__name__
        possible: Callable[..., None] = precondition(lambda self: bool(options(self)))(run)
        made: Callable[..., Any] = rule(pick=st.integers(0, 10_000), **drawn)
        return made(possible)

    return decorate


class Driving(Looking):
    """The core; a subclass says where it may work."""

    @initialize(
        modes=st.lists(st.sampled_from(["WH", "W", "H", "WH"]), min_size=3, max_size=3), others=st.integers(0, 7)
    )
    def begin(self, modes: list[str], others: int) -> None:
        self.watchers = others == 7
        for repository, mode in zip(self.bench.repositories, modes, strict=True):
            repository.hooked, self.watched[repository.name] = "H" in mode, "W" in mode
            baseline = repository.main.now().committed
            if repository.home not in self.homes:
                self.homes[repository.home] = Home(baseline)
                self.touched[repository.home] = set()
            for key, content in baseline.items():
                self.lines.setdefault(key, Line(key, content))
            self.look(repository.main)

    def teardown(self) -> None:
        self.bench.close()

    def mark(self) -> object:
        """All that an operation can change."""
        clones = [
            (
                one.main.directory.joinpath("HEAD").read_text(),
                references(one.main.directory),
                one.stashes(),
                [(checkout.name, checkout.now()) for checkout in one.checkouts],
                (one.hooked, self.watched[one.name], one.watching is not None, self.dies),
            )
            for one in self.bench.repositories
        ]
        looked = self.settled, {name: set(tips) for name, tips in self.looked.items()}, self.bench.observed
        return clones, looked, references(self.bench.directory / "origin.git")

    # Where operations are possible.

    @property
    def checkouts(self) -> list[Checkout]:
        """All checkouts, the first clone's twice, for it is where most happens."""
        ann, bob, cat = self.bench.repositories
        return [*ann.checkouts, *bob.checkouts, *ann.checkouts, *cat.checkouts]

    def where(self, fits: Callable[[Checkout, Situation], object]) -> list[Checkout]:
        return [checkout for checkout in self.checkouts if fits(checkout, checkout.now())]

    # Doing.

    @contextlib.contextmanager
    def doing(
        self, checkout: Checkout, what: str, kind: Kind, *hooks: str, plain: bool = False, moves: bool = False
    ) -> Iterator[Doing]:
        """Do something. git runs one of `hooks` when it is done, if it runs any: then all commits have been looked at.

        `moves` says that the branch may be taken back.
        """
        repository, before = checkout.clone, checkout.now()
        note(f"# {checkout.name} on {before.branch or before.tip[:7]}: {what}")
        self.touched[checkout.home].add(checkout.name)
        tick, doing, repository.dies = self.bench.clock, Doing(), self.dies
        yield doing
        repository.dies = None
        repository.forget()
        after = checkout.now()
        if kind == "navigate" and not before.branch and before.tip not in self.looked[repository.name]:
            self.touched[checkout.home].add(past(checkout))
        self.arrivals(repository)
        self.absorb(checkout, kind, before, tick, doing)
        seen = self.seen.get(checkout.name)
        if seen is not None and (not plain or after.branch != before.branch):
            seen.plain = False
        if moves:
            self._rewritten(repository)
            for one in repository.checkouts:
                self.homes[checkout.home].unsure((one.name, before.branch))
        self.observers(checkout, *(hooks if doing.complete else ()))

    def absorb(self, checkout: Checkout, kind: Kind, before: Situation, tick: int, doing: Doing) -> None:
        """Let the model know what an operation made."""
        after, objects, clone = checkout.now(), checkout.clone.objects, checkout.clone
        own = [one for one in objects.since(after.tip, tick) if objects.commit(one).committer == clone.name]
        parents = [[objects.state(parent) for parent in objects.commit(one).parents] for one in own]
        self._odd(checkout, before, after, own)
        if kind in ("undo", "integrate", "rewrite"):
            self._taken_along(checkout, before, after)
        fresh = [*zip(parents, map(objects.state, own), strict=True), ([after.committed], after.files)]
        if kind == "edit":
            self._edited(checkout, before.files, after.files)
            self._note_committed(checkout, fresh[:-1])
        if kind == "undo":
            self._undone(checkout, before, after)
            self._came_again(checkout, before, after, own)
        for sides, state in fresh:
            for key, content in state.items():
                contents = [side.get(key) for side in sides]
                if content not in contents or len(sides) == 1:
                    self._copied(checkout, key, contents, content, kind, doing)
        if kind in ("integrate", "rewrite"):
            self._moved(checkout, kind, before, after)
            self._came_again(checkout, before, after, own if kind == "rewrite" else ())
        for old, new in ((before.committed, after.committed), (before.files, after.files)):
            for key in new.keys() - old.keys():
                if (checkout.home, key) in self.shown:
                    self.homes[checkout.home].came_back(key, new[key])

    def _odd(self, checkout: Checkout, before: Situation, after: Situation, own: Sequence[str]) -> None:
        """Of two files of one work package a commit may show the one, and the worktree the other."""
        home = self.homes[checkout.home]
        for paths in (after.paths, *map(checkout.clone.objects.paths, own)):
            for key in odd(paths):
                self.line(key).bend()
                home.odd.add(key)
        for key in home.odd & after.files.keys():
            home.made(key, before.files.get(key), after.files[key])

    def _taken_along(self, checkout: Checkout, before: Situation, after: Situation) -> None:
        """git may take another feature's file for a renamed one, and bring a work package there with its lane."""
        home = self.homes[checkout.home]
        gone = before.committed.keys() - after.committed.keys()
        for key in after.committed.keys() - before.committed.keys():
            for other in {one for one in gone if one[1] == key[1]}:
                self.line(key).bend()
                home.of(key).lanes |= home.of(other).lanes

    def _copied(
        self, checkout: Checkout, key: Key, sides: list[Content | None], content: Content, kind: Kind, doing: Doing
    ) -> None:
        if not any(sides) and (checkout.home, key) in self.shown:
            line = self.line(key)
            if line.ends.get(content, -1) < max(line.ends.values()):
                line.bend()
            self.homes[checkout.home].came_back(key, content)
        # README, "Limits": a squash that hides a round trip leaves its view before it.
        hides = len(sides) == 1 and self.line(key).hides(sides[0], content)
        bend = kind in ("integrate", "rewrite") and (hides or any(key[1] in path for path in doing.conflicts))
        self._committed(checkout, key, sides, content, bend=bend)

    def _edited(self, checkout: Checkout, before: State, after: State) -> None:
        self.homes[checkout.home].changed(before, after)
        for key, content in after.items():
            if key not in self.lines:
                self.creators[key] = checkout.clone.name
            self.line(key).edited(before.get(key), content, checkout.clone.name, checkout.home.name)
            seen = self.seen.get(checkout.name)
            if seen is not None and before.get(key) not in (content, seen.files.get(key)):
                self._resolved(checkout, key, [seen.files.get(key)], content)

    def _note_committed(self, checkout: Checkout, made: Sequence[tuple[Sequence[State], State]]) -> None:
        there = self.committed.setdefault(checkout.name, [])
        for sides, state in made:
            there += [one for side in sides for one in state.items() if side.get(one[0]) != one[1]]

    def _undone(self, checkout: Checkout, before: Situation, after: Situation) -> None:
        for old, new in ((before.files, after.files), (before.committed, after.committed)):
            self.homes[checkout.home].changed(old, new)
            for key in old.keys() | new.keys():
                if old.get(key) != new.get(key):
                    self.line(key).bend()
                    self.undone.add((checkout.home, key))

    def _committed(
        self, checkout: Checkout, key: Key, sides: list[Content | None], content: Content, *, bend: bool
    ) -> None:
        """A commit, or files, that show something else than what they were made from."""
        home, line = self.homes[checkout.home], self.line(key)
        if bend or content not in line.ends or len(sides) > 1 or not line.follows(sides[0], content):
            line.bend()
        if not line.straight:
            for side in sides:
                if side != content:
                    home.made(key, side, content)
            return
        lanes = [lane for side in sides for lane in line.copied(side, content, checkout.home.name)]
        home.of(key).makings.update(lanes)
        if lanes:  # a replay tells it, if nobody came upon it before the original was there too
            self.netted.add(key)
        if lanes or sides[0] is None:
            home.of(key).creatable = True

    def _moved(self, checkout: Checkout, kind: Kind, before: Situation, after: Situation) -> None:
        home = self.homes[checkout.home]
        if kind == "rewrite":  # what nobody saw may be dropped
            left = self.committed.pop(checkout.name, [])
            self.committed[checkout.name] = [one for one in left if after.committed.get(one[0]) == one[1]]
        for old, new in ((before.committed, after.committed), (before.files, after.files)):
            for key in old.keys() & new.keys():
                line = self.line(key)
                older = line.ends.get(new[key], -1) < line.ends.get(old[key], -1)
                if older:  # a conflict was resolved to the side that had not moved it
                    line.bend()
                if kind == "rewrite" and new[key] != old[key]:  # it may have lost a commit
                    self.undone.add((checkout.home, key))
                if not line.straight and (older or kind == "rewrite" or (checkout.home, key) in self.undone):
                    home.made(key, old[key], new[key])

    def _came_again(self, checkout: Checkout, before: Situation, after: Situation, but: Sequence[str]) -> None:
        """A branch is at commits that it may have lost before, whatever command brought it there."""
        for key, contents in checkout.clone.objects.changes(after.tip, before.tip, but=but).items():
            if (checkout.home, key) in self.undone:
                for content in contents:
                    self.homes[checkout.home].made_again(key, content)

    def arrivals(self, repository: Repository) -> None:
        """What others made, as far as it is here now."""
        known, ours = self.visited[repository.name], self.homes[repository.home]
        homes = {one.name: one.home for one in self.bench.repositories}
        left = list(repository.remotes().values())
        while left:
            name = left.pop()
            if name in known:
                continue
            known.add(name)
            made = repository.objects.commit(name)
            left += made.parents
            state = repository.objects.state(name)
            if made.committed > CLOCK and homes[made.committer] != repository.home:
                ours.arrived(state, [repository.objects.state(parent) for parent in made.parents])
            elif made.committer != repository.name:
                self.borrowed |= {(repository.name, key, content.lane) for key, content in state.items()}
                self._lent(repository, state)
                if any(one.split("/")[0] == made.committer for one in self.touched[repository.home]):
                    self.lent |= {(made.committer, key) for key in state}

    def _rewritten(self, repository: Repository) -> None:
        """README, "Limits": a commit that nobody saw, which another clone took in, and that is another one by now."""
        home = self.homes[repository.home]
        for key in {key for name, key in self.lent if name == repository.name}:
            self.lent.discard((repository.name, key))
            self.line(key).bend()
            self.netted.add(key)
            home.of(key).known |= set(LANES)

    def _lent(self, repository: Repository, state: State) -> None:
        """A known fault, see tests/scenarios/test_clones.py: what one clone made and nobody told, another takes in."""
        home = self.homes[repository.home]
        for key, content in state.items():
            if self.creators.get(key, repository.name) != repository.name and not home.of(key).created:
                del self.creators[key]
                self.line(key).bend()
                home.of(key).known |= {content.lane or "", *(lane for lane in LANES)}
