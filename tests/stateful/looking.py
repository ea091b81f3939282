"""Observers look, and what they told is checked against the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from hypothesis.stateful import RuleBasedStateMachine

from tests.stateful.bench import Bench, Checkout, Repository, Situation
from tests.stateful.hook_server import HookServer
from tests.stateful.line import Line
from tests.stateful.model import BrokenRuleError, Content, Heard, Home, Key, State, Step, View, along
from tests.stateful.seen import Seen, slid_under


def past(checkout: Checkout) -> str:
    """What stands for commits that no branch has any more, and of which a checkout's reflog alone knows."""
    return f"{checkout.name}, formerly"


class Looking(RuleBasedStateMachine):
    """What is known of each checkout, and who looks; a subclass says where it may work."""

    template: ClassVar[Path]
    directory: ClassVar[Path]
    server: ClassVar[HookServer]
    done: ClassVar[Counter[str]] = Counter()
    idle: ClassVar[Counter[str]] = Counter()
    examples: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.directory, self.template)
        self.server.said.write_text("")
        self.watched: dict[str, bool] = {}
        self.homes: dict[Path, Home] = {}
        self.lines: dict[Key, Line] = {}
        self.creators: dict[Key, str] = {}
        self.seen: dict[str, Seen] = {}
        self.shown: set[tuple[Path, Key]] = set()
        self.looked: dict[str, set[str]] = {one.name: set() for one in self.bench.repositories}
        self.visited: dict[str, set[str]] = {one.name: set() for one in self.bench.repositories}
        self.touched: dict[Path, set[str]] = {}
        self.undone: set[tuple[Path, Key]] = set()
        """What was taken back once: commits that bring it again make it again."""
        self.netted: set[Key] = set()
        """What was committed more than once on a branch that had been taken elsewhere, of which only the net difference
        is told, and copies that nothing says are copies: a replay may tell more of these."""
        self.committed: dict[str, list[tuple[Key, Content]]] = {}
        """What was committed in a checkout, on any branch, since it was last looked at."""
        self.tips: dict[View, str] = {}
        self.borrowed: set[tuple[str, Key, str | None]] = set()
        self.lent: set[tuple[str, Key]] = set()
        """Clones, and what they may have made while nobody looked that another one of their home has taken in."""
        self.gone: dict[tuple[str, str], State] = {}
        self.half_seen: set[str] = set()
        """Where a hook may have looked since a checkout was last looked at whole."""
        self.dies: int | None = None
        self.settled = 0
        self.watchers = False
        self.linked = self.removed = self.switched = 0
        self.stamps = 0
        type(self).examples += 1

    def line(self, key: Key) -> Line:
        return self.lines.setdefault(key, Line(key, None))

    def observers(self, checkout: Checkout, *hooks: str) -> None:
        """Let those look that are on, and check what they tell."""
        repository = checkout.clone
        ran = repository.ran()
        if repository.hooked:
            complete = any(hook in ran for hook in hooks) and self.dies is None and repository.watching is None
            if any(ran):
                self.dies = None
            self.hear(checkout, "commits" if complete else None)
        elif repository.watching is None and not self.watched[repository.name]:
            assert not self.bench.events(checkout.home, self.homes[checkout.home].clock), "nobody looked"
        said = self.server.said.read_text("utf-8")
        assert not said, said
        if self.watched[repository.name] or repository.watching is not None:
            self.look(checkout)

    def look(self, checkout: Checkout, *, at_once: int = 0) -> None:
        """Look as a watcher does, or as some do `at_once`, or one that is killed on its way first."""
        if self.dies is not None:
            line, self.dies = self.dies, None
            checkout.observe_many(1, line)
        if at_once:
            checkout.observe_many(at_once)
        seen = checkout.observe()
        assert seen.busy is None, seen.busy
        self.hear(checkout, "files")

    def hear(self, checkout: Checkout, looked: Literal["files", "commits"] | None) -> None:
        """Check what was told since the last time; `looked` says what of a checkout has been looked at since."""
        home, place = self.homes[checkout.home], checkout.home.name
        self._note_net(checkout)
        now, before = checkout.now(), self.seen.get(checkout.name)
        view, files = (checkout.name, now.branch), looked == "files"
        plain = looked is not None and before is not None and before.branch == now.branch and before.plain
        heard = home.hear(self.bench.events(checkout.home, home.clock), view if plain else None)
        for one in heard:
            self._attribute(one, checkout.home)
            self.line(one.key).heard(one, place)
        if looked is None:
            self.half_seen.add(checkout.name)
            return
        self.half_seen.discard(checkout.name)
        new = {key: [one for one in heard if one.key == key] for key in {one.key for one in heard}}
        expected = self._foreseen(checkout.clone, before, now, now.files if files else None)
        for key, steps in expected.items():
            home.must(key, view, steps, new.get(key, []))
        for key, content in (now.files if files else now.committed).items():
            if content.lane is not None and (checkout.clone.name, key, content.lane) not in self.borrowed:
                home.shows(key, content.lane, view)
            if self.creators.get(key) == checkout.clone.name and home.of(key).created != 1:
                raise BrokenRuleError(f"D2: {view} shows {key}, of which nobody told that it was created")
            self.line(key).looked_at(content, view, checkout.clone.name, place)
            if new.get(key) and before is not None and before.branch == now.branch and (now.branch or before.plain):
                home.stands(key, view)
        committed = self.committed.pop(checkout.name, [])
        for key, content in committed if not self._diverged(checkout, now) else ():
            self.line(key).looked_at(content, view, checkout.clone.name, place)
        self._note_seen(checkout, now, files=files)

    def _note_net(self, checkout: Checkout) -> None:
        """Of a branch that was taken elsewhere the net difference counts, and a trail that was replaced tells its own
        steps in that; since whatever was seen last, if a hook has looked in between.
        """
        now, before, objects = checkout.now(), self.seen.get(checkout.name), checkout.clone.objects
        if before is None or before.branch != now.branch:
            return
        half = checkout.name in self.half_seen
        if not half and objects.reaches(now.tip, before.tip):
            return
        for key, content in now.committed.items():
            bases = [*self.line(key).ends] if half else [before.committed.get(key)]
            self._resolved(checkout, key, bases, content)

    def _resolved(self, checkout: Checkout, key: Key, bases: Iterable[Content | None], content: Content) -> None:
        """A content may be compared with some that were seen, and its trail may tell other steps then (rule D3)."""
        line = self.line(key)
        for base in [one for one in bases if one is not None and not line.follows(one, content)]:
            line.bend()
            self.homes[checkout.home].made(key, base, content)

    def _note_seen(self, checkout: Checkout, now: Situation, *, files: bool) -> None:
        before, committed = self.seen.get(checkout.name), now.committed
        kept = dict(now.files)
        if not files:
            kept = {key: committed[key] for key in now.files.keys() & committed.keys()}
        if not files and before is not None:
            left = {key: one for key, one in before.files.items() if now.files.get(key) == one}
            kept |= {key: one for key, one in before.files.items() if before.committed.get(key) != one} | left
        sure = files or before is None or before.files == before.committed
        under = frozenset(key for key, one in kept.items() if slid_under(before, key, one, committed))
        self.seen[checkout.name] = Seen(now.branch, now.tip, committed, kept, plain=sure, under=under)
        self.looked[checkout.clone.name].add(now.tip)
        self._note_diverged(checkout, now)
        self.shown |= {(checkout.home, key) for key in (now.files if files else committed)}
        if files or (now.files == committed and sure):
            self.touched[checkout.home].discard(checkout.name)
            if files:
                self.touched[checkout.home].discard(past(checkout))
            self._all_looked_at(checkout.home)

    def _note_diverged(self, checkout: Checkout, now: Situation) -> None:
        """Of branches that don't descend from where they were seen, the net difference alone counts (rule O4)."""
        for old, tip in self._diverged(checkout, now):
            for key, contents in checkout.clone.objects.changes(tip, old).items():
                if len(contents) > 1:
                    self.netted.add(key)
                    self.homes[checkout.home].of(key).known |= {one.lane for one in contents if one.lane is not None}
        for branch, tip in (checkout.clone.branches() | {now.branch: now.tip}).items():
            self.tips[checkout.name, branch] = tip

    def _diverged(self, checkout: Checkout, now: Situation) -> list[tuple[str, str]]:
        """Where the branches that don't descend from where they were seen were then, and where they are."""
        branches = checkout.clone.branches() | {now.branch: now.tip}
        moved = [(self.tips.get((checkout.name, branch), tip), tip) for branch, tip in branches.items()]
        return [(old, tip) for old, tip in moved if not checkout.clone.objects.reaches(tip, old)]

    def _foreseen(
        self, repository: Repository, before: Seen | None, now: Situation, files: State | None
    ) -> dict[Key, list[Step]]:
        """The steps that a plain history brings, by work package; those of which it says nothing are left out."""
        if before is None or not before.plain or before.branch != now.branch:
            return {}
        commits = repository.objects.between(before.tip, now.tip)
        if commits is None:
            return {}
        states = [repository.objects.state(commit) for commit in commits]
        found: dict[Key, list[Step]] = {}
        for key in {*before.committed, *before.files, *(states[-1] if states else ()), *(files or ())}:
            start, edit = before.committed.get(key), before.files.get(key)
            shown = files.get(key) if files is not None else None
            if edit is None and (repository.home, key) in self.shown:
                continue  # its file was gone, and what the view showed before still stands (rule D6)
            if key in self.homes[repository.home].odd:
                continue  # of two files the first counts (rule R6), which may be another one in a commit
            if edit == start:
                found[key] = along([start, *(state.get(key) for state in states), shown])
            elif key in before.under:
                continue
            elif files is not None and not states and shown == start:
                back = along([edit, Content(shown.lane) if shown else None])  # one step, whatever the file says
                found[key] = [replace(step, undoes=True) for step in back]
            elif files is not None and (not states or (len(states) == 1 and states[0].get(key) == edit)):
                found[key] = along([edit, shown])
        return found

    def _all_looked_at(self, place: Path) -> None:
        if self.touched[place]:
            return
        for repository in self.bench.repositories:
            if repository.home == place and not set(repository.branches().values()) <= self.looked[repository.name]:
                return
        self.homes[place].all_looked_at()

    def _attribute(self, heard: Heard, home: Path) -> None:
        """An event with a commit's time tells what a clone of this home committed (rules O3, D5)."""
        maker = self.bench.authors.get(heard.timestamp[:19])
        if maker is None or maker.home == home:
            return
        tick = next(tick for tick, one in self.bench.ticks.items() if self.bench.moment(tick) == heard.timestamp[:19])
        ours = [one for one in self.bench.repositories if one.home == home]
        copied = any(
            line.split() == [str(tick), one.name]
            for one in ours
            for line in one.main.git("log", "--all", "--reflog", "--format=%at %cn").splitlines()
        )
        if not copied:
            raise BrokenRuleError(f"O3: {heard} was made by {maker.name}, and told in {home.name}")
