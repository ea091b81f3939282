"""Undoing, worktrees, other clones, and observers that come and go."""

from __future__ import annotations

from hypothesis import note
from hypothesis import strategies as st

from kittywatch.events import WPStatusChanged
from tests.scenarios.world import Watching
from tests.stateful.bench import Checkout, Repository
from tests.stateful.branching import CHOICE, NAMES, Branching, free
from tests.stateful.contents import references
from tests.stateful.editing import LANE, STYLE, files_of
from tests.stateful.elsewhere import SecondMachine, converge
from tests.stateful.looking import past
from tests.stateful.machine import Driving, Kind, operation
from tests.stateful.model import Key

PULL = st.sampled_from(["--no-rebase", "--rebase", "--no-rebase --ff-only"])
LOOKERS = st.sampled_from([0, 2, 3])


def discardable(self: Driving) -> list[tuple[Checkout, str, str]]:
    """Files that have something to discard, and the command for it."""
    found = []
    for checkout in self.checkouts:
        for path, letters in sorted(checkout.now().status.items()):
            if letters[1] in "MD":
                found += [(checkout, path, "restore"), (checkout, path, "checkout")]
            if letters[0] in "MD":
                found.append((checkout, path, "HEAD"))
    return found


def resets(self: Driving) -> list[tuple[Checkout, str, str]]:
    """Commits to which a branch can be set back or over, and how; for HEAD only where that changes something."""
    found = []
    for checkout in self.checkouts:
        now, objects, branches = checkout.now(), checkout.clone.objects, checkout.clone.branches()
        targets, at = [tip for tip in branches.values() if tip != now.tip], now.tip
        for _ in range(2):
            if parents := objects.commit(at).parents:
                at = parents[0]
                targets.append(at)
        found += [(checkout, how, tip) for tip in targets for how in ("--soft", "--mixed", "--hard")]
        found += [(checkout, "--hard", now.tip)] * (not now.clean) + [(checkout, "--mixed", now.tip)] * now.staged
    return found


def revertible(self: Driving) -> list[tuple[Checkout, str]]:
    found = []
    for checkout in self.checkouts:
        at, objects = checkout.now().tip, checkout.clone.objects
        for _ in range(3):
            parents = objects.commit(at).parents
            if len(parents) == 1:
                found.append((checkout, at))
            if parents:
                at = parents[0]
    return found


def origin(self: Driving) -> dict[str, str]:
    found = references(self.bench.directory / "origin.git")
    return {name.removeprefix("refs/heads/"): tip for name, tip in found.items()}


def pushable(self: Driving) -> list[Checkout]:
    there = origin(self)
    return self.where(lambda _, now: now.branch and there.get(now.branch) != now.tip)


def pullable(self: Driving) -> list[Checkout]:
    """Where the branch has news at the origin, as far as the clone knows of them or doesn't know at all."""
    there = origin(self)
    known = self.bench.commits
    return self.where(
        lambda one, now: (
            now.branch in there
            and now.pristine
            and (there[now.branch] not in known or not one.clone.objects.reaches(now.tip, there[now.branch]))
        )
    )


class Exchanging(Branching):
    """Rules for what is not committed, and for who sees it."""

    # Undoing.

    @operation(lambda self: self.where(lambda _, now: not now.clean))
    def stash(self, checkout: Checkout) -> None:
        with self.doing(checkout, "stash", "undo", plain=True):
            checkout.git("stash", "push", "-q")

    @operation(lambda self: self.where(lambda one, now: now.pristine and one.clone.stashes()), choice=CHOICE)
    def pop(self, checkout: Checkout, choice: str) -> None:
        with self.doing(checkout, f"stash pop, {choice}", "undo", plain=True) as doing:
            if not checkout.does("stash", "pop", "-q"):
                self.resolve(checkout, doing, choice)
                checkout.git("reset", "-q")
                checkout.git("stash", "drop", "-q")

    @operation(discardable)
    def discard(self, option: tuple[Checkout, str, str]) -> None:
        checkout, path, how = option
        with self.doing(checkout, f"discard {path} with {how}", "undo", plain=True):
            command = {"restore": ["restore"], "checkout": ["checkout", "-q", "--"], "HEAD": ["checkout", "HEAD", "--"]}
            checkout.git(*command[how], path)

    @operation(resets)
    def reset(self, option: tuple[Checkout, str, str]) -> None:
        checkout, how, target = option
        with self.doing(checkout, f"reset {how} {target[:7]}", "undo", moves=True):
            checkout.git("reset", "-q", how, target)

    @operation(revertible, choice=CHOICE)
    def revert(self, option: tuple[Checkout, str], choice: str) -> None:
        checkout, commit = option
        self.tidy(checkout)
        with self.doing(checkout, f"revert {commit[:7]}, {choice}", "undo", "post-commit") as doing:
            self.finish(checkout, doing, choice, "revert", ["revert", "--no-edit", commit])

    # Worktrees and other clones.

    @operation(
        lambda self: [
            (one.main, name)
            for one in self.bench.repositories
            for name in ("", *NAMES)
            if len(one.linked) < (2 if one.name == "ann" else 1) and (not name or free(one.main, name))
        ]
    )
    def add_worktree(self, option: tuple[Checkout, str]) -> None:
        main, name = option
        repository = main.clone
        self.linked += 1
        root = main.root / ".worktrees" / f"w{self.linked}"
        linked = Checkout(f"{repository.name}/{root.name}", root, repository)
        new = () if name in repository.branches() else ("-b", name)
        with self.doing(main, f"worktree add {name} as {linked.name}", "navigate", plain=True):
            kind = ["--detach", str(root)] if not name else [*new, str(root), *(() if new else (name,))]
            main.git("worktree", "add", "-q", *kind)
            repository.linked.append(linked)
            if name:
                self._again(linked, (linked.name, name), new=bool(new))
        self.touched[linked.home].add(linked.name)
        self.observers(linked, "post-checkout")

    @operation(lambda self: [one for one in self.where(lambda _, now: now.pristine) if one is not one.clone.main])
    def remove_worktree(self, checkout: Checkout) -> None:
        repository = checkout.clone
        with self.doing(repository.main, f"worktree remove {checkout.name}", "navigate", plain=True):
            checkout.close()
            repository.main.git("worktree", "remove", "--force", str(checkout.root))
            repository.linked.remove(checkout)
        self.touched[checkout.home] -= {checkout.name, past(checkout)}

    @operation(
        lambda self: [
            (giver, taker)
            for giver in self.checkouts
            for taker in self.checkouts
            if giver.home != taker.home and giver.now().branch == taker.now().branch != ""
        ],
        number=st.integers(0, 10),
        lane=LANE,
        style=STYLE,
        how=PULL,
        choice=CHOICE,
    )
    def work_together(
        self, option: tuple[Checkout, Checkout], number: int, lane: int, style: str, how: str, choice: str
    ) -> None:
        """Somebody commits and pushes, somebody else pulls, and goes on with it."""
        giver, taker = option
        for checkout in option:
            keys = sorted(checkout.now().files)
            if not keys:
                return
            with self.doing(checkout, f"move {style} {lane}", "edit", "post-commit", plain=True):
                path = self.edited(checkout, keys[number % len(keys)], lane, style)
                checkout.git("add", "--", path)
                checkout.does("commit", "-q", "-m", f"move {lane}", "--only", "--", path)
            if checkout is giver:
                self._push(checkout)
                if taker in pullable(self):
                    self._pull(taker, how, choice)

    @operation(pushable)
    def push(self, checkout: Checkout) -> None:
        self._push(checkout)

    def _push(self, checkout: Checkout) -> None:
        """Over what is there, where it is not the same history any more."""
        tip, there = checkout.now().tip, origin(self).get(checkout.now().branch)
        forward = there is None or (there in self.bench.commits and checkout.clone.objects.reaches(tip, there))
        with self.doing(checkout, f"push{'' if forward else ' --force'}", "navigate", plain=True):
            checkout.git("push", "-q", "-u", *(() if forward else ("--force",)), "origin", "HEAD")

    @operation(lambda self: [one.main for one in self.bench.repositories if one.remotes() != origin(self)])
    def fetch(self, checkout: Checkout) -> None:
        with self.doing(checkout, "fetch", "navigate", plain=True):
            checkout.git("fetch", "-q")

    @operation(pullable, how=PULL, choice=CHOICE)
    def pull(self, checkout: Checkout, how: str, choice: str) -> None:
        self._pull(checkout, how, choice)

    def _pull(self, checkout: Checkout, how: str, choice: str) -> None:
        rebasing = how == "--rebase"
        command = ["pull", "-q", *how.split(), "origin", checkout.now().branch]
        hooks = ("post-rewrite",) if rebasing else ("post-merge", "post-commit")
        kind: Kind = "rewrite" if rebasing else "integrate"
        self.tidy(checkout)
        with self.doing(checkout, f"pull {how}, {choice}", kind, *hooks, moves=rebasing) as doing:
            if rebasing:
                self.finish(checkout, doing, choice, "rebase", command)
            elif not checkout.does(*command) and checkout.middle:
                self.stopped(checkout)
                self.resolve(checkout, doing, choice)
                doing.complete = checkout.does("commit", "-q", "--no-edit")

    # Observers.

    @operation(
        lambda self: [
            (one, mode)
            for one in self.bench.repositories
            for mode in ("", "W", "H", "WH")
            if self.bench.clock > self.switched + 6 and mode != "W" * self.watched[one.name] + "H" * one.hooked
        ]
    )
    def switch(self, option: tuple[Repository, str]) -> None:
        repository, mode = option
        note(f"# {repository.name}: {mode or 'nobody looks'}")
        self.switched = self.bench.clock
        repository.hooked, self.watched[repository.name] = "H" in mode, "W" in mode

    @operation(lambda self: [0] if self.dies is None else [], line=st.integers(0, 4000) | st.integers(-400, -1))
    def kill(self, option: int, line: int) -> None:
        """The next observation is killed on its way, before a line of the program, or of what writes to the store."""
        self.dies = line + option

    @operation(lambda self: [one for one in self.checkouts if one.name in self.touched[one.home]], number=LOOKERS)
    def scan(self, checkout: Checkout, number: int) -> None:
        """Somebody looks at a checkout, or several at the same moment."""
        note(f"# scan {checkout.name} by {number + 1}")
        self.look(checkout, at_once=number)

    @operation(files_of, lanes=st.lists(st.integers(0, 2), min_size=2, max_size=3), style=STYLE)
    def together(self, option: tuple[Checkout, Key], lanes: list[int], style: str) -> None:
        """What nobody saw is come upon by several at the same moment."""
        checkout, key = option
        name = checkout.clone.name
        before, self.watched[name] = self.watched[name], True
        with self.doing(checkout, f"move {key[1]} {len(lanes)} times, then look together", "navigate", plain=True):
            for lane in lanes:
                old, path = checkout.now().files, self.edited(checkout, key, lane, style)
                checkout.forget()
                self._edited(checkout, old, checkout.now().files)
                checkout.git("add", "--", path, KITTYWATCH="0")
                checkout.git("commit", "-q", "-m", f"move {lane}", "--", path, KITTYWATCH="0")
                checkout.forget()
            checkout.observe_many(3)
        self.watched[name] = before

    @operation(
        lambda self: [0] if self.settled < self.bench.clock else [],
        order=st.integers(0, 1_000),
        cloned=st.sampled_from([0, 0, 1, 2]),
    )
    def settle(self, _: int, order: int, cloned: int) -> None:
        """Everybody looks at everything; afterwards nobody has anything to tell, nor has a replay of any branch, and
        what a second machine replays is known to be what was told (O11).

        But where a rebase put commits on others' edits, the net difference alone was told (O4), and a replay goes along
        the commits (B2).
        """
        note("# settle")
        self.dies = None
        for repository in self.bench.repositories:
            for checkout in repository.checkouts:
                self.look(checkout)
        for repository in self.bench.repositories:
            for checkout in repository.checkouts:
                assert not checkout.observe().events, f"{checkout.name} was looked at before"
            for name, tip in repository.branches().items():
                if tip in self.looked[repository.name]:
                    found = [one.payload for one in repository.main.replay(name) if isinstance(one, WPStatusChanged)]
                    added = [one for one in found if (one.feature_slug, one.wp_id) not in self.netted]
                    assert not added, f"a replay of {name} in {repository.name} adds {added}"
        self._replay_elsewhere(self.bench.repositories[cloned], order)
        self.settled = self.bench.clock + 1

    def _replay_elsewhere(self, repository: Repository, order: int) -> None:
        looked = [tip for tip in repository.branches().values() if tip in self.looked[repository.name]]
        if looked:
            second = SecondMachine(repository)
            second.replay(dict.fromkeys(looked))
            converge(self.bench, second, order, self.netted)

    @operation(lambda self: self.bench.repositories[:2] if self.watchers else [])
    def watcher(self, repository: Repository) -> None:
        """A watcher is started as a process of its own, or killed."""
        watching, repository.watching = repository.watching, None
        note(f"# {repository.name}: watcher {'killed' if watching else 'started'}")
        if watching is None:
            repository.watching = Watching(repository.main.root, repository.environment)
            for checkout in repository.checkouts:  # it looks at all of them, whichever comes first
                checkout.observe()
                self.hear(checkout, None)
            for checkout in repository.checkouts:
                self.look(checkout)
        else:
            watching.process.kill()
            watching.join()
