"""Random histories of a project: branches, commits with and without trail, merges, rebases and cherry-picks.

No squash and no amended lane: there git itself forgets what was.
"""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime

from tests.scenarios.world import World

LANES = ("planned", "doing", "for_review", "done")
PACKAGES = ("WP01", "WP02", "WP03")
BRANCHES = 4
OPERATIONS = {"move": 5, "branch": 1, "switch": 2, "merge": 2, "rebase": 1, "pick": 1, "body": 1}
_RECORD = re.compile(r"^- (\S+) – agent – lane=(\w+) –", re.MULTILINE)


class History:
    """Does what a seed says in a world; `done` is what it was, for whoever has to look into it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.branches = ["main"]
        self.keeps_trail = {wp_id: self.chance.random() < 0.5 for wp_id in PACKAGES}
        self.done: list[str] = []
        with world.unobserved():
            for wp_id in PACKAGES:
                world.write("planned", wp_id=wp_id)
            world.commit("plan")
        world.start_over()

    def run(self) -> None:
        """Eight to twenty-two operations, and everything merged into main in the end."""
        for _ in range(self.chance.randint(8, 22)):
            (operation,) = self.chance.choices(list(OPERATIONS), list(OPERATIONS.values()))
            getattr(self, f"_{operation}")()
        self.world.git("switch", "-q", "main")
        for branch in self.branches[1:]:
            self._merge_in(branch, "--no-ff")

    def _move(self) -> None:
        wp_id = self.chance.choice(PACKAGES)
        text = self.world.path(wp_id).read_text("utf-8")
        lane = text.partition("\nlane: ")[2].partition("\n")[0]
        trail = _RECORD.findall(text)
        for _ in range(self.chance.choice((1, 1, 1, 2)) if self.keeps_trail[wp_id] else 1):
            lane = self.chance.choice([other for other in LANES if other != lane])
            self.world.clock += 3
            moment = datetime.fromtimestamp(self.world.clock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            trail += [(moment, lane)] if self.keeps_trail[wp_id] else []
        self.world.move(lane, wp_id=wp_id, trail=trail)
        self._note(f"{wp_id} to {lane}")

    def _body(self) -> None:
        (self.world.root / "code").write_text(str(self.world.clock))
        self.world.commit("code")

    def _branch(self) -> None:
        if len(self.branches) < BRANCHES:
            self.branches.append(f"b{len(self.branches)}")
            self.world.git("switch", "-q", "-c", self.branches[-1])
            self._note("made")

    def _switch(self) -> None:
        self.world.git("switch", "-q", self.chance.choice(self.branches))

    def _merge(self) -> None:
        self._merge_in(self.chance.choice(self.branches), self.chance.choice(("--no-ff", "--no-ff", "--ff")))

    def _merge_in(self, branch: str, how: str) -> None:
        self.world.git("merge", "-q", how, "--no-edit", branch, check=False)
        for path in self._unmerged():
            self.world.git("checkout", "-q", self.chance.choice(("--ours", "--theirs")), "--", path)
        if (self.world.root / ".git" / "MERGE_HEAD").exists():
            self.world.commit("merged")
        self._note(f"{how} merge of {branch}")

    def _unmerged(self) -> list[str]:
        return self.world.git("diff", "-z", "--name-only", "--diff-filter=U").split("\0")[:-1]

    def _rebase(self) -> None:
        branch = self.chance.choice(self.branches)
        self.world.git("rebase", "-q", branch, check=False)
        self._unless_conflict("rebase", branch, "rebase-merge")

    def _pick(self) -> None:
        branch = self.chance.choice(self.branches)
        self.world.git("cherry-pick", branch, check=False)
        self._unless_conflict("cherry-pick", branch, "CHERRY_PICK_HEAD")

    def _unless_conflict(self, operation: str, branch: str, mark: str) -> None:
        if (self.world.root / ".git" / mark).exists():
            self.world.git(operation, "--abort")
        else:
            self._note(f"{operation} of {branch}")

    def _note(self, what: str) -> None:
        self.done.append(f"{self.world.git('branch', '--show-current').strip()}: {what}")
