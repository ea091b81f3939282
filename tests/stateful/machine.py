"""Anything that people do with git and work packages, with observers that come and go, checked against the model.

Every rule does one thing in one checkout, tells the model what that made, lets those observers look that are on, and
checks what they told. What git refuses is no operation. Rules whose net effect is hard to foresee (rebases, merges with
conflicts, picks) are not `plain`: then the model bounds from above, and asks only that nothing is lost.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from kittywatch.events import WPStatusChanged
from tests.scenarios.world import Watching
from tests.stateful.bench import Bench, Checkout, Repository, render
from tests.stateful.model import LANES, Content, Home, State, Step, along

_WHO = st.integers(0, 7)
_LANE = st.sampled_from(LANES)
_WP = st.integers(0, 3)
_NAME = st.sampled_from(["main", "topic", "other"])
_CHOICE = st.sampled_from(["ours", "theirs", *LANES])
_EDITORS = {
    "squash": "sed -i -e '2,$ s/^pick/squash/'",
    "fixup": "sed -i -e '2,$ s/^pick/fixup/'",
    "drop": "sed -i -e '$ d'",
    "drop-first": "sed -i -e '1 s/^pick/drop/'",
    "reverse": "sed -i -n -e '/^pick/{1!G;h;$!d};/^pick/p;x;/./p'",
    "swap": "sed -i -e '1{h;d};2{G}'",
}
_ROUNDS = 12


@dataclass
class Seen:
    """What a checkout showed when it was last looked at; `plain` says that only edits and commits came since."""

    branch: str
    tip: str
    committed: State
    files: State
    plain: bool = True


class Driving(RuleBasedStateMachine):
    """The machine; a subclass says where it may work."""

    template: ClassVar[Path]
    directory: ClassVar[Path]
    processes: ClassVar[bool] = True
    numbers: ClassVar[Iterator[int]] = itertools.count()
    passed: ClassVar[int] = 0
    examples: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.directory / str(next(self.numbers)), self.template)
        self.modes: dict[str, str] = {}
        self.homes: dict[Path, Home] = {}
        self.seen: dict[str, Seen] = {}
        self.looked: dict[str, set[str]] = {}
        self.foreign: dict[Path, set[str]] = {}
        self.touched: dict[Path, set[str]] = {}
        self.installed: set[str] = set()
        self.die_at: int | None = None
        self.stamps = 0
        type(self).examples += 1

    @initialize(modes=st.lists(st.sampled_from(["W", "H", "WH", "WH"]), min_size=3, max_size=3))
    def begin(self, modes: list[str]) -> None:
        self.looked = {repository.name: set() for repository in self.bench.repositories}
        for repository, mode in zip(self.bench.repositories, modes, strict=True):
            self.modes[repository.name] = mode
            if repository.home not in self.homes:
                baseline = repository.state(repository.main.tip)
                self.homes[repository.home] = Home(baseline)
                self.foreign[repository.home] = set()
                self.touched[repository.home] = set()
            self.look(repository.main)

    def teardown(self) -> None:
        self.bench.close()

    # Looking and checking.

    def look(self, checkout: Checkout, hook: str | None = None) -> None:
        if self.die_at is not None and not any(one.watching for one in self.bench.repositories):
            line, self.die_at = self.die_at, None
            checkout.observe_and_die(line, hook=hook)
        seen = checkout.observe(hook=hook)
        assert seen.busy is None, seen.busy
        self.check(checkout, watcher=hook is None)

    def check(self, checkout: Checkout, *, watcher: bool) -> None:
        """Check what was told since the last time, after all of a checkout was looked at."""
        home, repository = self.homes[checkout.home], checkout.clone
        branch, tip = checkout.branch, checkout.tip
        committed, files = repository.state(tip), checkout.shows()
        before, view = self.seen.get(checkout.name), (checkout.name, branch)
        new = home.hear(self.bench.events(checkout.home, home.clock))
        expected = self._foreseen(repository, before, branch, tip, files if watcher else None)
        for wp_id, steps in expected.items():
            home.must(wp_id, view, steps, new.get(wp_id, []))
        shown = files if watcher else committed
        for wp_id, content in shown.items():
            home.shows(wp_id, content.lane, view)
            if new.get(wp_id) and before is not None and before.branch == branch:
                home.stands(wp_id, view)
        kept = files if watcher or before is None else {wp: committed.get(wp, files[wp]) for wp in files}
        if not watcher and before is not None:
            kept |= {wp: one for wp, one in before.files.items() if before.committed.get(wp) != one}
        sure = watcher or not before or before.files == before.committed
        self.seen[checkout.name] = Seen(branch, tip, committed, kept, plain=sure)
        self.looked[repository.name].add(tip)
        if watcher or files == committed:
            self.touched[checkout.home].discard(checkout.name)
            self._all_looked_at(checkout.home)

    def _foreseen(
        self, repository: Repository, before: Seen | None, branch: str, tip: str, files: State | None
    ) -> dict[str, list[Step]]:
        """The steps that a plain history brings, by work package; those of which it says nothing are left out."""
        if before is None or not before.plain or before.branch != branch:
            return {}
        commits = repository.between(before.tip, tip)
        if commits is None:
            return {}
        states = [repository.state(commit) for commit in commits]
        found: dict[str, list[Step]] = {}
        for wp_id in {*before.committed, *before.files, *(states[-1] if states else ()), *(files or ())}:
            start, edit = before.committed.get(wp_id), before.files.get(wp_id)
            now = files.get(wp_id) if files is not None else None
            if edit == start:
                found[wp_id] = along([start, *(state.get(wp_id) for state in states), now])
            elif files is not None and (not states or (len(states) == 1 and states[0].get(wp_id) == edit)):
                found[wp_id] = along([edit, now])
        return found

    def _all_looked_at(self, place: Path) -> None:
        if self.touched[place]:
            return
        for repository in self.bench.repositories:
            if repository.home == place and not set(repository.branches().values()) <= self.looked[repository.name]:
                return
        self.homes[place].all_looked_at()

    # Doing.

    def pick(self, who: int) -> Checkout:
        """One of the checkouts; the first clone's more often."""
        ann, bob, cat = self.bench.repositories
        all_of_them = [*ann.checkouts, *ann.checkouts, *bob.checkouts, *cat.checkouts]
        return all_of_them[who % len(all_of_them)]

    @contextlib.contextmanager
    def doing(
        self, checkout: Checkout, what: str, *hooks: str, plain: bool = False, makes: str = "", moves: bool = False
    ) -> Iterator[None]:
        """Do something: `makes` says of what a difference is somebody's making, "files" or "commits" or both.

        `moves` says that the branch may be taken back.
        """
        home, branch, tip = self.homes[checkout.home], checkout.branch, checkout.tip
        files = checkout.shows()
        note(f"# {checkout.name} on {branch}: {what}")
        self.touched[checkout.home].add(checkout.name)
        yield
        type(self).passed += 1
        self._arrivals(checkout.clone)
        if "files" in makes:
            home.changed(files, checkout.shows())
        if "commits" in makes and checkout.tip != tip:
            home.changed(checkout.clone.state(tip), checkout.clone.state(checkout.tip))
        seen = self.seen.get(checkout.name)
        if seen is not None and (not plain or checkout.branch != branch):
            seen.plain = False
        if moves:
            for one in checkout.clone.checkouts:
                home.unsure((one.name, branch))
        self.observers(checkout, *hooks)

    def observers(self, checkout: Checkout, *hooks: str) -> None:
        repository = checkout.clone
        mode = self.modes[repository.name]
        if repository.name in self.installed and hooks and repository.watching is None:
            self.check(checkout, watcher=False)
        elif "H" in mode:
            for hook in hooks:
                self.look(checkout, hook)
        if "W" in mode or repository.watching is not None:
            self.look(checkout)

    def _arrivals(self, repository: Repository) -> None:
        """What others made, as far as it is here now."""
        known = self.foreign[repository.home]
        for line in repository.main.git("log", "--remotes", "--format=%H %cn", "--max-count=60").splitlines():
            commit, _, name = line.partition(" ")
            if name != repository.name and (key := f"{repository.name}{commit}") not in known:
                known.add(key)
                self.homes[repository.home].arrived(repository.state(commit))

    def write(self, checkout: Checkout, wp_id: str, content: Content) -> None:
        self.stamps += 1
        checkout.file(wp_id).write_text(render(wp_id, content, f"Do it, note {self.stamps % 3}."), "utf-8")

    def edited(self, checkout: Checkout, number: int, lane: str, *, trail: bool) -> str:
        shown = checkout.shows()
        wp_id = sorted(shown)[number % len(shown)]
        before = shown[wp_id]
        records = before.trail
        if trail and lane != before.lane:
            self.stamps += 1
            moment = f"2026-02-01T{self.stamps // 3600 % 24:02}:{self.stamps // 60 % 60:02}:{self.stamps % 60:02}Z"
            records = (*records, (moment, lane))
        self.write(checkout, wp_id, Content(lane, records))
        return wp_id

    def clean(self, checkout: Checkout) -> bool:
        return not checkout.git("status", "--porcelain", "--untracked-files=no").strip()

    def resolve(self, checkout: Checkout, choice: str) -> None:
        """Resolve what is in conflict: to one side, or to a lane, which is then somebody's making."""
        before = checkout.clone.state(checkout.tip)
        for path in checkout.git("diff", "--name-only", "--diff-filter=U").split():
            wp_id = path.rsplit("/", 1)[-1][:4]
            side = choice if choice in ("ours", "theirs") else "ours"
            checkout.git("checkout", f"--{side}", "--", path)
            if choice in LANES:
                content = Content(choice, checkout.shows()[wp_id].trail)
                self.write(checkout, wp_id, content)
                self.homes[checkout.home].made(wp_id, before.get(wp_id), content)
            checkout.git("add", "--", path)

    def stopped(self, checkout: Checkout) -> None:
        """In the middle of something nothing is observed (rule O6)."""
        home = self.homes[checkout.home]
        assert checkout.observe().busy is not None
        assert not self.bench.events(checkout.home, home.clock), "O6"

    def finish(self, checkout: Checkout, command: str, choice: str, first: Sequence[str], **environment: str) -> None:
        """Run a rebase, pick or revert to its end, resolving each conflict in the same way."""
        done = checkout.does(*first, **environment)
        for _ in range(_ROUNDS):
            if done or not self._in_between(checkout):
                return
            self.stopped(checkout)
            self.resolve(checkout, choice)
            staged = checkout.git("diff", "--cached", "--name-only").strip()
            done = checkout.does(command, "--continue" if staged else "--skip")
        checkout.git(command, "--abort")

    @staticmethod
    def _in_between(checkout: Checkout) -> bool:
        names = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer")
        return any((checkout.directory / name).exists() for name in names)

    # Edits and commits.

    @rule(who=_WHO, wp=_WP, lane=_LANE, trail=st.booleans(), stage=st.booleans())
    def edit(self, who: int, wp: int, lane: str, trail: bool, stage: bool) -> None:
        checkout = self.pick(who)
        with self.doing(checkout, f"edit {wp} to {lane}", plain=True, makes="files"):
            wp_id = self.edited(checkout, wp, lane, trail=trail)
            if stage:
                checkout.git("add", "--", str(checkout.file(wp_id)))

    @rule(who=_WHO, wp=_WP, lane=_LANE, trail=st.booleans(), how=st.sampled_from(["-a", "index", "--only"]))
    def move(self, who: int, wp: int, lane: str, trail: bool, how: str) -> None:
        """Edit and commit at once, as tools do; a watcher looks afterwards."""
        checkout = self.pick(who)
        with self.doing(checkout, f"move {wp} to {lane}", "post-commit", plain=True, makes="files"):
            path = str(checkout.file(self.edited(checkout, wp, lane, trail=trail)))
            if how == "index":
                checkout.git("add", "--", path)
            options = {"-a": ("-a",), "index": (), "--only": ("--only", path)}[how]
            checkout.does("commit", "-q", "-m", f"move {lane}", *options)

    @rule(who=_WHO)
    def create(self, who: int) -> None:
        checkout = self.pick(who)
        letter = self.bench.repositories.index(checkout.clone) + 1
        wp_id = next(
            f"WP{letter}{n}" for n in range(10) if not self.homes[checkout.home].of(f"WP{letter}{n}").creatable
        )
        with self.doing(checkout, f"create {wp_id}", plain=True, makes="files"):
            self.write(checkout, wp_id, Content("planned"))
            checkout.git("add", "--", str(checkout.file(wp_id)))

    @rule(who=_WHO, how=st.sampled_from(["-a", "index"]))
    def commit(self, who: int, how: str) -> None:
        checkout = self.pick(who)
        if self.clean(checkout):
            return
        with self.doing(checkout, f"commit {how}", "post-commit", plain=True):
            checkout.does("commit", "-q", "-m", "commit", *(("-a",) if how == "-a" else ()))

    @rule(who=_WHO, how=st.sampled_from(["-a", "index"]))
    def amend(self, who: int, how: str) -> None:
        checkout = self.pick(who)
        if checkout.git("rev-list", "--count", "HEAD").strip() == "1":
            return
        with self.doing(checkout, f"amend {how}", "post-commit", "post-rewrite", moves=True):
            checkout.does("commit", "-q", "--amend", "-m", "amended", *(("-a",) if how == "-a" else ()))

    # Branches.

    @rule(who=_WHO, name=_NAME, command=st.sampled_from(["checkout", "switch"]))
    def go(self, who: int, name: str, command: str) -> None:
        """To a branch, which is made where there is none."""
        checkout = self.pick(who)
        branches = checkout.clone.branches()
        new = name not in branches
        flag = ({"checkout": "-b", "switch": "-c"}[command],) if new else ()
        old = checkout.branch
        with self.doing(checkout, f"{command} {name}{' (new)' if new else ''}", "post-checkout"):
            went = checkout.does(command, "-q", *flag, name)
            if went and new:
                self.homes[checkout.home].copied((checkout.name, old), (checkout.name, name))
            seen = self.seen.get(checkout.name)
            if went and (seen is None or seen.files != seen.committed):
                self.homes[checkout.home].unsure((checkout.name, old))
                self.homes[checkout.home].unsure((checkout.name, name))

    @rule(
        who=_WHO,
        name=_NAME,
        how=st.sampled_from(["--ff", "--no-ff", "--squash", "--ff-only"]),
        choice=_CHOICE,
    )
    def merge(self, who: int, name: str, how: str, choice: str) -> None:
        checkout = self.pick(who)
        if name not in checkout.clone.branches() or name == checkout.branch or not self.clean(checkout):
            return
        with self.doing(checkout, f"merge {how} {name}, {choice}", "post-merge"):
            if not checkout.does("merge", "-q", how, name):
                if (checkout.directory / "MERGE_HEAD").exists():
                    self.stopped(checkout)
                self.resolve(checkout, choice)
                if how != "--ff-only":
                    checkout.does("commit", "-q", "--no-edit")
            elif how == "--squash":
                checkout.does("commit", "-q", "-m", "squashed")

    @rule(who=_WHO, name=_NAME, how=st.sampled_from(["--merge", "--apply"]), choice=_CHOICE)
    def rebase(self, who: int, name: str, how: str, choice: str) -> None:
        checkout = self.pick(who)
        if name not in checkout.clone.branches() or name == checkout.branch or not self.clean(checkout):
            return
        makes = "commits" if self._conflicts(checkout, name) else ""
        with self.doing(checkout, f"rebase {how} {name}, {choice}", "post-rewrite", makes=makes, moves=True):
            self.finish(checkout, "rebase", choice, ["rebase", "-q", how, name])

    @staticmethod
    def _conflicts(checkout: Checkout, onto: str) -> bool:
        """Whether both sides have commits of their own."""
        counts = checkout.git("rev-list", "--count", "--left-right", f"HEAD...{onto}").split()
        return "0" not in counts

    @rule(who=_WHO, editor=st.sampled_from(sorted(_EDITORS)), count=st.integers(2, 4), choice=_CHOICE)
    def rebase_interactively(self, who: int, editor: str, count: int, choice: str) -> None:
        checkout = self.pick(who)
        base = f"HEAD~{count}"
        if not self.clean(checkout) or not checkout.does("rev-parse", "-q", "--verify", base):
            return
        with self.doing(checkout, f"rebase -i {editor} {count}", "post-rewrite", makes="commits", moves=True):
            command = ["rebase", "-q", "-i", base]
            self.finish(checkout, "rebase", choice, command, GIT_SEQUENCE_EDITOR=_EDITORS[editor])

    @rule(who=_WHO, name=_NAME, count=st.integers(1, 2), uncommitted=st.booleans(), choice=_CHOICE)
    def cherry_pick(self, who: int, name: str, count: int, uncommitted: bool, choice: str) -> None:
        checkout = self.pick(who)
        if name not in checkout.clone.branches() or not self.clean(checkout):
            return
        picks = checkout.git("rev-list", "--no-merges", "--reverse", f"HEAD..{name}").split()[:count]
        if not picks:
            return
        options = ["-n"] if uncommitted and len(picks) == 1 else []
        with self.doing(checkout, f"cherry-pick {count} of {name}, {choice}", *["post-commit"] * (not options)):
            self.finish(checkout, "cherry-pick", choice, ["cherry-pick", *options, *picks])
            if options and checkout.git("diff", "--name-only", "--diff-filter=U").strip():
                self.resolve(checkout, choice)

    @rule(who=_WHO, back=st.integers(0, 2), choice=_CHOICE)
    def revert(self, who: int, back: int, choice: str) -> None:
        checkout = self.pick(who)
        if not self.clean(checkout) or not checkout.does("rev-parse", "-q", "--verify", f"HEAD~{back + 1}"):
            return
        if checkout.git("rev-list", "--count", "--merges", "-1", f"HEAD~{back}") == "1":
            return
        with self.doing(checkout, f"revert HEAD~{back}, {choice}", "post-commit", plain=True, makes="files"):
            self.finish(checkout, "revert", choice, ["revert", "--no-edit", f"HEAD~{back}"])

    # Undoing.

    @rule(who=_WHO)
    def stash(self, who: int) -> None:
        checkout = self.pick(who)
        if self.clean(checkout):
            return
        with self.doing(checkout, "stash", plain=True, makes="files"):
            checkout.does("stash", "push", "-q")

    @rule(who=_WHO)
    def pop(self, who: int) -> None:
        checkout = self.pick(who)
        if not self.clean(checkout) or not checkout.git("stash", "list"):
            return
        with self.doing(checkout, "stash pop", plain=True, makes="files"):
            if not checkout.does("stash", "pop", "-q"):
                checkout.git("reset", "-q", "--hard")
                checkout.git("stash", "drop", "-q")

    @rule(who=_WHO, wp=_WP, staged=st.booleans())
    def restore(self, who: int, wp: int, staged: bool) -> None:
        checkout = self.pick(who)
        shown = sorted(checkout.shows())
        path = str(checkout.file(shown[wp % len(shown)]))
        with self.doing(checkout, f"restore {path[-12:-8]}", plain=True, makes="files"):
            if staged:
                checkout.does("checkout", "-q", "HEAD", "--", path)
            else:
                checkout.does("restore", path)

    @rule(
        who=_WHO, how=st.sampled_from(["--soft", "--mixed", "--hard"]), to=st.sampled_from(["~1", "~2", "", *LANES[:1]])
    )
    def reset(self, who: int, how: str, to: str) -> None:
        checkout = self.pick(who)
        target = f"HEAD{to}" if to in ("~1", "~2", "") else "topic"
        if not checkout.does("rev-parse", "-q", "--verify", target):
            return
        with self.doing(checkout, f"reset {how} {target}", makes="files commits", moves=True):
            checkout.git("reset", "-q", how, target)

    # Worktrees and other clones.

    @rule(who=_WHO, name=_NAME)
    def add_worktree(self, who: int, name: str) -> None:
        repository = self.pick(who).clone
        branches = repository.branches()
        if len(repository.linked) >= 2 or any(one.branch == name for one in repository.checkouts):
            return
        root = repository.main.root / ".worktrees" / f"w{next(self.numbers)}"
        linked = Checkout(f"{repository.name}/{root.name}", root, repository)
        new = () if name in branches else ("-b", name)
        with self.doing(repository.main, f"worktree add {name} as {linked.name}", plain=True):
            repository.main.git("worktree", "add", "-q", *new, str(root), *(() if new else (name,)))
            repository.linked.append(linked)
        self.touched[linked.home].add(linked.name)
        self.observers(linked, "post-checkout")

    @rule(who=_WHO)
    def remove_worktree(self, who: int) -> None:
        checkout = self.pick(who)
        repository = checkout.clone
        if checkout is repository.main or not self.clean(checkout):
            return
        if any(wp not in repository.state(checkout.tip) for wp in checkout.shows()):
            return
        with self.doing(repository.main, f"worktree remove {checkout.name}", plain=True):
            checkout.close()
            repository.main.git("worktree", "remove", "--force", str(checkout.root))
            repository.linked.remove(checkout)

    @rule(who=_WHO)
    def push(self, who: int) -> None:
        checkout = self.pick(who)
        if not checkout.branch:
            return
        with self.doing(checkout, "push", plain=True):
            checkout.does("push", "-q", "-u", "origin", "HEAD")

    @rule(who=_WHO, how=st.sampled_from(["--no-rebase", "--rebase", "--ff-only"]), choice=_CHOICE)
    def pull(self, who: int, how: str, choice: str) -> None:
        checkout = self.pick(who)
        checkout.does("fetch", "-q")
        upstream = f"refs/remotes/origin/{checkout.branch}"
        if (
            not checkout.branch
            or not self.clean(checkout)
            or not checkout.does("rev-parse", "-q", "--verify", upstream)
        ):
            return
        rebasing = how == "--rebase"
        hook = "post-rewrite" if rebasing else "post-merge"
        makes = "commits" if rebasing and self._conflicts(checkout, upstream) else ""
        with self.doing(checkout, f"pull {how}, {choice}", hook, "post-merge", moves=rebasing, makes=makes):
            command = ["pull", "-q", how, "origin", checkout.branch]
            if rebasing:
                self.finish(checkout, "rebase", choice, command)
            elif not checkout.does(*command) and (checkout.directory / "MERGE_HEAD").exists():
                self.stopped(checkout)
                self.resolve(checkout, choice)
                checkout.does("commit", "-q", "--no-edit")

    # Observers.

    @rule(who=_WHO, mode=st.sampled_from(["", "W", "H", "WH"]))
    def switch(self, who: int, mode: str) -> None:
        repository = self.pick(who).clone
        note(f"# {repository.name}: {mode or 'nobody looks'}")
        self.modes[repository.name] = mode

    @rule(who=_WHO, line=st.integers(0, 4000))
    def kill(self, who: int, line: int) -> None:
        """The next observation is killed on its way, before a line of the program."""
        self.die_at = line

    @rule(who=_WHO)
    def scan(self, who: int) -> None:
        with self.doing(self.pick(who), "scan", plain=True):
            pass
        self.look(self.pick(who))

    @rule()
    def settle(self) -> None:
        """Everybody looks at everything; afterwards a replay of any branch adds no transition."""
        note("# settle")
        for repository in self.bench.repositories:
            for checkout in repository.checkouts:
                self.look(checkout)
        for repository in self.bench.repositories:
            for name, tip in repository.branches().items():
                if tip in self.looked[repository.name]:
                    added = [one.payload for one in repository.main.replay(name) if isinstance(one, WPStatusChanged)]
                    assert not added, f"a replay of {name} in {repository.name} adds {added}"
        type(self).passed += 1

    @precondition(lambda self: self.processes)
    @rule(who=_WHO, watcher=st.booleans())
    def real(self, who: int, watcher: bool) -> None:
        """From now on the installed hooks run in a clone, and maybe a watcher; or, where they do, no more."""
        repository = self.pick(who).clone
        if repository.name in self.installed:
            self._unreal(repository)
            return
        note(f"# {repository.name}: real hooks{' and watcher' if watcher else ''}")
        repository.main.run("hooks", "install")
        self.installed.add(repository.name)
        repository.switch = {"KITTYWATCH": "1"}
        if watcher:
            repository.watching = Watching(repository.main.root, repository.environment)

    def _unreal(self, repository: Repository) -> None:
        note(f"# {repository.name}: no real hooks any more")
        if repository.watching is not None:
            repository.watching.stop()
            repository.watching = None
        self.installed.discard(repository.name)
        repository.switch = {"KITTYWATCH": "0"}
