"""Edits of work packages, and the ways to commit them."""

from __future__ import annotations

import pygit2
from hypothesis import strategies as st

from tests.stateful.bench import Checkout
from tests.stateful.contents import FEATURE, OTHER_FEATURE, key_of, render
from tests.stateful.machine import Driving, operation
from tests.stateful.model import ALIASES, LANES, Content, Key

LANE = st.integers(0, 2)
STYLE = st.sampled_from(
    ["plain", "plain", "record", "record", "trail", "trail", "rewritten", "backwards", "unknown", "alias", "remark"]
)


def files_of(self: Driving) -> list[tuple[Checkout, Key]]:
    return [(checkout, key) for checkout in self.checkouts for key in sorted(checkout.now().files)]


def uncommitted(self: Driving) -> list[tuple[Checkout, str]]:
    """Where there is something to commit, and how."""
    staged = self.where(lambda _, now: now.staged)
    changed = self.where(lambda _, now: now.staged or now.unstaged)
    return [(one, "index") for one in staged] + [(one, "-a") for one in changed]


class Editing(Driving):
    """Rules for one work package at a time."""

    def path(self, checkout: Checkout, key: Key) -> str:
        """Where a work package's file is; a new one's in the flat layout."""
        paths = [path for path, text in sorted(checkout.now().paths.items()) if key_of(path, text) == key]
        return paths[0] if paths else f"kitty-specs/{key[0]}/tasks/{key[1]}-work.md"

    def write(self, checkout: Checkout, key: Key, content: Content, *, written: str | None = None) -> str:
        """Save a work package with a number of its own; returns its path."""
        self.stamps += 1
        path = self.path(checkout, key)
        content = Content(content.lane, content.trail, self.stamps)
        file = checkout.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(key[1], content, written=written), "utf-8")
        return path

    def moment(self) -> str:
        """A time of a record, later than all before."""
        self.stamps += 1
        return f"2002-02-01T{self.stamps // 3600 % 24:02}:{self.stamps // 60 % 60:02}:{self.stamps % 60:02}Z"

    def edited(self, checkout: Checkout, key: Key, number: int, style: str) -> str:
        """Write another lane in some style of its trail, or only a remark; returns the path."""
        before = checkout.now().files[key]
        lane = [lane for lane in LANES if lane != before.lane][number % 3]
        if style == "remark":
            self.stamps += 1
            path = self.path(checkout, key)
            text = (checkout.root / path).read_text("utf-8")
            head, _, rest = text.partition("Remark ")
            remark = f"{head}Remark {self.stamps}.\n{rest.partition(chr(10))[2]}"
            (checkout.root / path).write_text(remark, "utf-8")
            return path
        trail, written = before.trail, None
        if style in ("record", "alias", "rewritten"):
            if style == "rewritten" and trail:  # the last record another one, and maybe one more before the new one
                others = [(self.moment(), one) for one in LANES if one not in (lane, before.lane)]
                trail = (*trail[:-1], *others[: number % 3])
            trail = (*trail, (self.moment(), self._alias(lane) if style == "alias" else lane))
            written = self._alias(lane) if style == "alias" else None
        elif style == "trail":
            between = [one for one in LANES if one != lane]
            way = [between[(number + turn) % 3] for turn in range(number % 2 + 1)]
            trail += tuple((self.moment(), one) for one in (*way, lane))
        elif style == "backwards":
            early, late = self.moment(), self.moment()
            trail += ((late, next(one for one in LANES if one != lane)), (early, lane))
        elif style == "unknown":
            trail += ((self.moment(), "nowhere"), (self.moment(), lane))
        return self.write(checkout, key, Content(lane, trail), written=written)

    @staticmethod
    def _alias(lane: str) -> str:
        return next((alias for alias, stands_for in ALIASES.items() if stands_for == lane), lane)

    @operation(files_of, lane=LANE, style=STYLE, stage=st.booleans())
    def edit(self, option: tuple[Checkout, Key], lane: int, style: str, stage: bool) -> None:
        checkout, key = option
        with self.doing(checkout, f"edit {key[1]}, {style} {lane}", "edit", plain=True):
            path = self.edited(checkout, key, lane, style)
            if stage:
                checkout.git("add", "--", path)

    @operation(files_of, lane=LANE, style=STYLE, how=st.sampled_from(["-a", "index", "--only"]))
    def move(self, option: tuple[Checkout, Key], lane: int, style: str, how: str) -> None:
        """Edit and commit at once, as tools do; a watcher looks afterwards."""
        checkout, key = option
        with self.doing(checkout, f"move {key[1]}, {style} {lane} {how}", "edit", "post-commit", plain=True):
            path = self.edited(checkout, key, lane, style)
            if how != "-a" or path not in checkout.now().status or checkout.now().status[path] == "??":
                checkout.git("add", "--", path)
            options = {"-a": ("-a",), "index": (), "--only": ("--only", "--", path)}[how]
            checkout.git("commit", "-q", "-m", f"move {lane}", *options)

    @operation(lambda self: self.checkouts, lane=st.integers(0, 3), place=st.sampled_from(["old", "old", "new"]))
    def create(self, checkout: Checkout, lane: int, place: str) -> None:
        letter = self.bench.repositories.index(checkout.clone) + 1
        self.stamps += 1
        feature = f"{letter}{self.stamps % 90 + 10:02}-new" if place == "new" else (FEATURE, OTHER_FEATURE)[lane % 2]
        numbers = (f"WP{letter}{number}" for number in range(10))
        wp_id = next((one for one in numbers if (feature, one) not in self.lines), None)
        if wp_id is None:
            return
        with self.doing(checkout, f"create {wp_id} in {feature}", "edit", plain=True):
            trail = ((self.moment(), LANES[lane]),) if lane > 1 else ()
            checkout.git("add", "--", self.write(checkout, (feature, wp_id), Content(LANES[lane], trail)))

    @operation(uncommitted)
    def commit(self, option: tuple[Checkout, str]) -> None:
        checkout, how = option
        with self.doing(checkout, f"commit {how}", "edit", "post-commit", plain=True):
            # What is staged and what is not may undo each other.
            checkout.git("commit", "-q", "-m", "commit", *(("-a", "--allow-empty") if how == "-a" else ()))

    @operation(lambda self: self.where(lambda one, now: one.clone.objects.commit(now.tip).parents), whole=st.booleans())
    def amend(self, checkout: Checkout, whole: bool) -> None:
        with self.doing(checkout, f"amend {'-a' if whole else ''}", "edit", "post-rewrite", moves=True):
            self.stamps += 1
            flags = ("-a",) if whole else ()
            checkout.git("commit", "-q", "--amend", "--allow-empty", "-m", f"amended {self.stamps}", *flags)

    @operation(uncommitted)
    def commit_without_hooks(self, option: tuple[Checkout, str]) -> None:
        """By libgit2, which runs none."""
        checkout, how = option
        with self.doing(checkout, "libgit2 commits", "edit", plain=True):
            if how == "-a":
                checkout.git("add", "-u")
            repository = pygit2.Repository(str(checkout.root))
            name = checkout.clone.name
            author = pygit2.Signature(name, "libgit2@example.invalid", self.bench.tick(checkout.clone), 60)
            repository.create_commit(
                "HEAD", author, author, "by libgit2", repository.index.write_tree(), [checkout.now().tip]
            )

    @operation(lambda self: self.where(lambda _, now: now.staged))
    def commit_by_plumbing(self, checkout: Checkout) -> None:
        """The reflog has an entry without a word: where the commit was made, only its absence elsewhere says."""
        before = checkout.now()
        with self.doing(checkout, "commit-tree", "edit"):
            tree = checkout.git("write-tree").strip()
            commit = checkout.git("commit-tree", tree, "-p", before.tip, "-m", "by plumbing").strip()
            checkout.git("update-ref", "HEAD", commit)
        for key, content in checkout.now().committed.items():
            if before.committed.get(key) != content:
                self.line(key).bend()
                self.creators.pop(key, None)
                self.homes[checkout.home].of(key).known.add(content.lane or "")

    @operation(lambda self: self.where(lambda _, now: now.staged or now.unstaged))
    def commit_and_die(self, checkout: Checkout) -> None:
        """git is killed when HEAD has moved, before a hook runs; somebody clears up."""
        hook = checkout.clone.main.root / ".git" / "hooks" / "reference-transaction"
        with self.doing(checkout, "commit, killed", "edit", plain=True):
            hook.write_text('#!/bin/sh\n[ "$1" != committed ] || kill -9 $PPID\n')
            hook.chmod(0o755)
            checkout.git("commit", "-q", "-a", "-m", "killed", check=False)
            hook.unlink()
            for lock in [*checkout.directory.glob("*.lock"), *(checkout.clone.main.root / ".git").rglob("*.lock")]:
                lock.unlink(missing_ok=True)
            checkout.git("reset", "-q")

    @operation(files_of, where=st.sampled_from(["flat", *LANES]))
    def rename(self, option: tuple[Checkout, Key], where: str) -> None:
        """To another name, or into a directory of the old layout: nobody's transition (rule D1)."""
        checkout, key = option
        old = self.path(checkout, key)
        self.stamps += 1
        name = f"{key[1]}-named-{self.stamps % 4}.md"
        new = f"kitty-specs/{key[0]}/tasks/{'' if where == 'flat' else f'{where}/'}{name}"
        if (checkout.root / new).exists() or checkout.now().status.get(old) == "??":
            return
        with self.doing(checkout, f"mv {old} {name} in {where}", "edit", plain=True):
            (checkout.root / new).parent.mkdir(exist_ok=True)
            checkout.git("mv", old, new)

    @operation(lambda self: files_of(self) if self.removed < 2 else [])
    def remove(self, option: tuple[Checkout, Key]) -> None:
        checkout, key = option
        with self.doing(checkout, f"rm {key[1]}", "edit"):
            self.removed += 1
            self.line(key).bend()
            checkout.git("rm", "-q", "-f", "--ignore-unmatch", "--", self.path(checkout, key))
            (checkout.root / self.path(checkout, key)).unlink(missing_ok=True)
