"""Branches, merges and rewriting in their forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.stateful.bench import Checkout
from tests.stateful.contents import key_of
from tests.stateful.editing import Editing
from tests.stateful.looking import past
from tests.stateful.machine import Doing, Driving, operation
from tests.stateful.model import LANES, Content, State

NAMES = ("main", "topic", "other")
CHOICE = st.sampled_from(["ours", "theirs", *LANES])
EDITORS = {
    "squash": "sed -i -e '2,$ s/^pick/squash/'",
    "fixup": "sed -i -e '2,$ s/^pick/fixup/'",
    "drop": "sed -i -e '$ d'",
    "drop-first": "sed -i -e '1 s/^pick/drop/'",
    "reverse": "sed -i -n -e '/^pick/{1!G;h;$!d};/^pick/p;x;/./p'",
    "swap": "sed -i -e '1{h;d};2{G}'",
    "reword": "sed -i -e '1 s/^pick/reword/'",
}
_ROUNDS = 12


def can_go(checkout: Checkout, commit: str) -> bool:
    """Whether nothing that isn't committed keeps git from going to a commit."""
    now, objects = checkout.now(), checkout.clone.objects
    there = objects.paths(commit)
    here = objects.paths(now.tip)
    return all(here.get(path) == there.get(path) for path in now.status)


def free(checkout: Checkout, name: str) -> bool:
    """Whether no worktree of the clone has a branch checked out."""
    return all(one.now().branch != name for one in checkout.clone.checkouts)


def destinations(self: Driving) -> list[tuple[Checkout, str]]:
    """Where HEAD can go: to branches, also those that others have, or a new one."""
    found = []
    for checkout in self.checkouts:
        known = checkout.clone.remotes() | checkout.clone.branches()
        for name in dict.fromkeys((*NAMES, *known)):
            if name != "HEAD" and free(checkout, name) and (name not in known or can_go(checkout, known[name])):
                found.append((checkout, name))
    return found


def commits(self: Driving) -> list[tuple[Checkout, str]]:
    """Commits on which HEAD can be without a branch."""
    found = []
    for checkout in self.checkouts:
        now, objects = checkout.now(), checkout.clone.objects
        back = [now.tip] if now.branch else []
        for _ in range(2):
            back += objects.commit(back[-1] if back else now.tip).parents[:1]
        tips = [*dict.fromkeys([*back, *checkout.clone.branches().values()])]
        found += [
            (checkout, commit) for commit in tips if (commit != now.tip or now.branch) and can_go(checkout, commit)
        ]
    return found


def unmerged(self: Driving) -> list[tuple[Checkout, str]]:
    """What can be merged where: local branches and remote-tracking ones that have something new."""
    found = []
    for checkout in self.checkouts:
        tip, clone = checkout.now().tip, checkout.clone
        names = clone.branches() | {f"origin/{name}": at for name, at in clone.remotes().items() if name != "HEAD"}
        found += [(checkout, name) for name, at in names.items() if not clone.objects.reaches(tip, at)]
    return found


def pickable(self: Driving) -> list[tuple[Checkout, str, list[str]]]:
    """For what can be merged, the commits that can be picked one by one, oldest first."""
    found = []
    for checkout, name in unmerged(self):
        clone, objects = checkout.clone, checkout.clone.objects
        at = clone.branches().get(name) or clone.remotes()[name.removeprefix("origin/")]
        picks = []
        while len(made := objects.commit(at).parents) == 1 and not objects.reaches(checkout.now().tip, at):
            picks.append(at)
            at = made[0]
        if picks:
            found.append((checkout, name, picks[::-1]))
    return found


def chains(self: Driving) -> list[tuple[Checkout, int]]:
    """How many commits without a merge there are that can be rewritten."""
    found = []
    for checkout in self.where(lambda _, now: now.branch):
        at, length = checkout.now().tip, 0
        while length < 4 and len(made := checkout.clone.objects.commit(at).parents) == 1:
            at, length = made[0], length + 1
        found += [(checkout, number) for number in range(2, length + 1)]
    return found


class Branching(Editing):
    """Rules for many commits at a time."""

    def tidy(self, checkout: Checkout) -> None:
        """Commit whatever there is, so that git does what comes next."""
        if not checkout.now().pristine:
            with self.doing(checkout, "add -A, commit", "edit", "post-commit", plain=True):
                checkout.git("add", "-A")
                checkout.does("commit", "-q", "-m", "tidy")

    # Conflicts.

    def resolve(self, checkout: Checkout, doing: Doing, choice: str) -> None:
        """Resolve what is in conflict: to one side, or to a lane of its own."""
        checkout.forget()
        lines = checkout.git("ls-files", "-u", "-z").split("\0")
        for path in sorted({line.partition("\t")[2] for line in lines if line}):
            doing.conflicts.add(path)
            side = choice if choice in ("ours", "theirs") else "ours"
            there = checkout.does("checkout", f"--{side}", "--", path)
            if not there or "<<<<<<<" in (checkout.root / path).read_text("utf-8"):  # a side is a merge, after a rename
                checkout.git("rm", "-q", "--cached", "--", path)
                (checkout.root / path).unlink(missing_ok=True)
                continue
            checkout.forget()
            key = key_of(path, (checkout.root / path).read_text("utf-8"))
            doing.conflicts.add(key[1])
            content = checkout.now().files[key]
            if choice in LANES:
                self.write(checkout, key, Content(choice, content.trail))
            checkout.git("add", "-A", "--", path)

    def stopped(self, checkout: Checkout) -> None:
        """In the middle of something nothing is observed (rule O6)."""
        assert checkout.observe().busy is not None
        assert not self.bench.events(checkout.home, self.homes[checkout.home].clock), "O6"

    def finish(
        self, checkout: Checkout, doing: Doing, choice: str, command: str, first: Sequence[str], **environment: str
    ) -> None:
        """Run a rebase, picks, reverts or an am to the end, resolving each conflict in the same way."""
        done = checkout.does(*first, **environment)
        for _ in range(_ROUNDS):
            if done or not checkout.middle:
                return
            self.stopped(checkout)
            self.resolve(checkout, doing, choice)
            staged = checkout.git("diff", "--cached", "--name-only").strip()
            doing.complete = bool(staged)
            done = checkout.does(command, "--continue" if staged else "--skip", **environment)
        if checkout.middle:
            doing.complete = False
            checkout.git(command, "--abort")

    # Going from one to the other.

    @operation(destinations, command=st.sampled_from(["checkout", "switch"]))
    def go(self, option: tuple[Checkout, str], command: str) -> None:
        """To a branch, which is made where there is none."""
        checkout, name = option
        home, old = self.homes[checkout.home], checkout.now()
        new = name not in checkout.clone.branches()
        made_here = new and name not in checkout.clone.remotes()
        flag = ({"checkout": "-b", "switch": "-c"}[command],) if made_here else ()
        with self.doing(checkout, f"{command} {name}{' (new)' if new else ''}", "navigate", "post-checkout") as doing:
            checkout.git(command, "-q", *flag, name)
            self._again(checkout, (checkout.name, name), new=new)
            if made_here:
                home.copied((checkout.name, old.branch), (checkout.name, name))
            seen = self.seen.get(checkout.name)
            if not doing.complete or seen is None or seen.files != seen.committed or not old.branch:
                home.unsure((checkout.name, old.branch))
                home.unsure((checkout.name, name))

    @operation(commits)
    def detach(self, option: tuple[Checkout, str]) -> None:
        checkout, commit = option
        with self.doing(checkout, f"checkout --detach {commit[:7]}", "navigate", "post-checkout"):
            self.homes[checkout.home].unsure((checkout.name, checkout.now().branch))
            self.homes[checkout.home].unsure((checkout.name, ""))
            checkout.git("checkout", "-q", "--detach", commit)

    def _again(self, checkout: Checkout, view: tuple[str, str], *, new: bool) -> None:
        """A branch that was deleted comes again: what is there now takes the place of what it showed (rule O4)."""
        shown = self.gone.pop(view, None)
        checkout.forget()
        if new and shown is not None:
            now: State = checkout.now().committed
            self.homes[checkout.home].changed(shown, now)
            for key in shown.keys() | now.keys():
                if shown.get(key) != now.get(key):
                    self.line(key).bend()

    @operation(lambda self: [(one, name) for one in self.checkouts for name in one.clone.branches() if free(one, name)])
    def delete_branch(self, option: tuple[Checkout, str]) -> None:
        checkout, name = option
        tip = checkout.clone.branches()[name]
        shown = checkout.clone.objects.state(tip)
        with self.doing(checkout, f"branch -D {name}", "navigate", plain=True):
            checkout.git("branch", "-q", "-D", name)
        for one in checkout.clone.checkouts:
            self.gone[one.name, name] = shown
            self.homes[checkout.home].unsure((one.name, name))  # another one may get its name
            if tip not in self.looked[checkout.clone.name]:
                self.touched[checkout.home].add(past(one))

    @operation(chains, marks=st.lists(st.booleans(), min_size=2, max_size=2))
    def bisect(self, option: tuple[Checkout, int], marks: list[bool]) -> None:
        checkout, number = option
        self.tidy(checkout)
        with self.doing(checkout, f"bisect {number}", "navigate", plain=True):
            checkout.git("bisect", "start", "HEAD", f"HEAD~{number}")
            for good in marks:
                self.stopped(checkout)
                checkout.git("bisect", "good" if good else "bad", check=False)
            checkout.git("bisect", "reset")

    # Bringing together.

    @operation(unmerged, how=st.sampled_from(["--ff", "--no-ff", "--ff-only"]), choice=CHOICE)
    def merge(self, option: tuple[Checkout, str], how: str, choice: str) -> None:
        checkout, name = option
        clone = checkout.clone
        at = clone.branches().get(name) or clone.remotes()[name.removeprefix("origin/")]
        if how == "--ff-only" and not clone.objects.reaches(at, checkout.now().tip):
            how = "--no-ff"
        self.tidy(checkout)
        with self.doing(checkout, f"merge {how} {name}, {choice}", "integrate", "post-merge", "post-commit") as doing:
            if not checkout.does("merge", "-q", how, name) and checkout.middle:
                self.stopped(checkout)
                self.resolve(checkout, doing, choice)
                doing.complete = checkout.does("commit", "-q", "--no-edit")
                checkout.git("reset", "-q", "--merge", check=False)

    @operation(unmerged, choice=CHOICE)
    def squash(self, option: tuple[Checkout, str], choice: str) -> None:
        checkout, name = option
        self.tidy(checkout)
        with self.doing(checkout, f"merge --squash {name}, {choice}", "integrate", "post-commit") as doing:
            if not checkout.does("merge", "-q", "--squash", name):
                self.resolve(checkout, doing, choice)
            doing.complete = checkout.does("commit", "-q", "--no-edit")
            checkout.git("reset", "-q", "--merge", check=False)

    @operation(lambda self: [one for one in unmerged(self) if self.others(*one)])
    def octopus(self, option: tuple[Checkout, str]) -> None:
        checkout, name = option
        self.tidy(checkout)
        names = (name, *self.others(checkout, name)[:2])
        with self.doing(checkout, f"merge {' '.join(names)}", "integrate", "post-merge"):
            if not checkout.does("merge", "-q", *names):
                checkout.git("reset", "-q", "--hard")

    def others(self, checkout: Checkout, name: str) -> list[str]:
        return [other for one, other in unmerged(self) if one is checkout and other != name]

    # Rewriting.

    @operation(
        lambda self: [one for one in unmerged(self) if one[0].now().branch],
        how=st.sampled_from(["--merge", "--apply"]),
        choice=CHOICE,
    )
    def rebase(self, option: tuple[Checkout, str], how: str, choice: str) -> None:
        checkout, name = option
        self.tidy(checkout)
        with self.doing(checkout, f"rebase {how} {name}, {choice}", "rewrite", "post-rewrite", moves=True) as doing:
            self.finish(checkout, doing, choice, "rebase", ["rebase", "-q", how, name])

    @operation(chains, editor=st.sampled_from(sorted(EDITORS)), choice=CHOICE)
    def rebase_interactively(self, option: tuple[Checkout, int], editor: str, choice: str) -> None:
        checkout, number = option
        what = f"rebase -i {editor} {number}, {choice}"
        self.tidy(checkout)
        with self.doing(checkout, what, "rewrite", "post-rewrite", moves=True) as doing:
            command = ["rebase", "-q", "-i", f"HEAD~{number}"]
            self.stamps += 1
            environment: dict[str, Any] = {"GIT_SEQUENCE_EDITOR": EDITORS[editor]}
            if editor == "reword":
                environment["GIT_EDITOR"] = f"sed -i -e '1 s/^/{self.stamps} /'"
            self.finish(checkout, doing, choice, "rebase", command, **environment)

    @operation(pickable, number=st.integers(1, 3), choice=CHOICE)
    def cherry_pick(self, option: tuple[Checkout, str, list[str]], number: int, choice: str) -> None:
        checkout, name, picks = option
        some = picks[:number] if number < 3 else picks[-2:]
        what = f"cherry-pick {len(some)} of {name}, {choice}"
        self.tidy(checkout)
        with self.doing(checkout, what, "integrate", "post-commit") as doing:
            self.finish(checkout, doing, choice, "cherry-pick", ["cherry-pick", *some])

    @operation(pickable, choice=CHOICE)
    def cherry_pick_uncommitted(self, option: tuple[Checkout, str, list[str]], choice: str) -> None:
        checkout, name, picks = option
        self.tidy(checkout)
        with self.doing(checkout, f"cherry-pick -n 1 of {name}, {choice}", "integrate") as doing:
            checkout.does("cherry-pick", "-n", picks[0])
            self.resolve(checkout, doing, choice)
        now = checkout.now()
        # Nothing says whose these were: a replay tells them, unless somebody came upon them before the original came.
        self.netted |= {key for key, content in now.files.items() if now.committed.get(key) != content}

    @operation(pickable, number=st.integers(1, 2), choice=CHOICE)
    def am(self, option: tuple[Checkout, str, list[str]], number: int, choice: str) -> None:
        checkout, name, picks = option
        mail = checkout.clone.main.root / ".git" / "mail"
        self.tidy(checkout)
        with self.doing(checkout, f"am {number} of {name}, {choice}", "integrate") as doing:
            mail.write_text("".join(checkout.git("format-patch", "-1", "--stdout", one) for one in picks[:number]))
            self.finish(checkout, doing, choice, "am", ["am", "-q", "-3", str(mail)])
