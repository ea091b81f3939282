"""What the demonstration plays: three agents in worktrees of their own, merges in three forms, a rebase, a review.

Their feature keeps its lanes in frontmatter, as spec-kitty up to 2.x does. Beside it a mission of spec-kitty 3 is
worked through on a coordination branch, with its lanes in an event log.

At the end three numbers are compared: the moves that the agents and the reviewer say they made, the transitions told
here, and those that the hub has.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from kittywatch.demo.board import USER, Board
from kittywatch.demo.mission import lane_line
from kittywatch.demo.scratch import Lines, Scratch, end, program, shown, wait_for
from kittywatch.errors import DemoError
from kittywatch.workpackages.layout import LOG
from kittywatch.workpackages.spec_kitty import coordination_worktree

FEATURE = "001-sign-in"
TITLES = {
    "WP01": "The form",
    "WP02": "The session",
    "WP03": "Forgotten passwords",
    "WP04": "Two factors",
    "WP05": "The audit log",
    "WP06": "Signing out everywhere",
}
AGENTS = {"claude": ("WP01", "WP02"), "codex": ("WP03", "WP04"), "gemini": ("WP05", "WP06")}
REVIEWER = "mira"
MISSION = "search-01KMD0X5"
MISSION_TITLES = {"WP01": "The index", "WP02": "The results"}
MISSION_AGENT = "pi"
_WORK_SECONDS, _DELIVERY_SECONDS = 60.0, 60.0

Move = tuple[str, str, str]


class Counts:
    """How many transitions were made, told and taken."""

    def __init__(self, *, made: int, told: int, taken: int) -> None:
        self.made, self.told, self.taken = made, told, taken

    @property
    def equal(self) -> bool:
        return self.made == self.told == self.taken


class Show:
    """One run. `say` gets each line for people; `pause` is how many seconds an agent takes for a move."""

    def __init__(self, scratch: Scratch, say: Callable[[str], None], *, pause: float) -> None:
        self._scratch = scratch
        self._pause = pause
        self._say = say
        self._turn = threading.Lock()  # lines come from several threads
        self._moves: list[Move] = []
        self._watching = threading.Event()

    def play(self, meet: Callable[[Board], None]) -> Counts:
        """Everything, in order; `meet` gets the hub when it is there. Raises DemoError."""
        board = Board(self._scratch)
        try:
            self._prepare(board)
            meet(board)
            watcher = self._scratch.start([*program("kittywatch.cli.main"), "watch"])
            lines = Lines(watcher, self._watched)
            wait_for(
                lambda: self._watching.is_set() or watcher.poll() is not None, "the watcher", seconds=_WORK_SECONDS
            )
            self._plan()
            self._work()
            self._merge()
            self._review()
            counts = self._counted(board)
            end(watcher)
            lines.join()
            return counts
        finally:
            board.close()

    # The parts, in their order.

    def _prepare(self, board: Board) -> None:
        self._tell(f"A scratch project in {self._scratch.project}, and a hub at {board.url}")
        self._git("init", "-q", "-b", "main")
        self._kittywatch("init")
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "A project")
        self._kittywatch(
            "auth", "login", "--server", board.url, "--username", USER, "--password-stdin", said=board.password
        )
        self._kittywatch("hooks", "install")

    def _plan(self) -> None:
        tasks = self._scratch.project / "kitty-specs" / FEATURE / "tasks"
        tasks.mkdir(parents=True)
        meta = {"feature_number": FEATURE[:3], "slug": FEATURE, "target_branch": "main"}
        (tasks.parent / "meta.json").write_text(json.dumps(meta) + "\n")
        for wp_id, title in TITLES.items():
            fields = f"work_package_id: {wp_id}\ntitle: {title}\nlane: planned\nagent: planner\n"
            (tasks / f"{wp_id}-work.md").write_text(f"---\n{fields}---\n\n# {title}\n\n## Activity Log\n\n")
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "Plan the sign-in")
        self._plan_mission()

    def _plan_mission(self) -> None:
        """As spec-kitty 3 does: no lane in frontmatter; the log goes on on a branch with a worktree of its own."""
        tasks = self._specs / "tasks"
        tasks.mkdir(parents=True)
        branch = f"kitty/mission-{MISSION}"
        meta = {"slug": MISSION, "target_branch": "main", "topology": "coord", "coordination_branch": branch}
        (self._specs / "meta.json").write_text(json.dumps(meta) + "\n")
        for wp_id, title in MISSION_TITLES.items():
            (tasks / f"{wp_id}-work.md").write_text(
                f"---\nwork_package_id: {wp_id}\ntitle: {title}\n---\n\n# {title}\n"
            )
        lines = [lane_line(MISSION, wp_id, "finalize-tasks", "genesis", "planned") for wp_id in MISSION_TITLES]
        (self._specs / LOG).write_text("".join(lines))
        (self._scratch.project / ".gitignore").write_text("/.worktrees/\n")
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "Plan the search, with spec-kitty 3")
        self._git("worktree", "add", "-q", "-b", branch, str(self._coordination))

    def _work(self) -> None:
        """Each agent takes its work packages to for_review; two commit each move, one commits at its end."""
        runs = []
        for agent, packages in AGENTS.items():
            where = self._place(agent)
            self._git("worktree", "add", "-q", "-b", agent, str(where))
            how = "edit" if agent == "gemini" else "commit"
            runs.append(threading.Thread(target=self._agent, args=(agent, packages, where, how), name=f"demo-{agent}"))
        runs.append(threading.Thread(target=self._mission_agent, name="demo-mission"))
        for run in runs:
            run.start()
        for run in runs:
            run.join(_WORK_SECONDS)
        expected = 2 * len(TITLES) + 3 * len(MISSION_TITLES)
        if len(self._moves) < expected:
            raise DemoError("the agents", [f"{len(self._moves)} of {expected} moves were made"])
        self._git("commit", "-q", "-a", "-m", "What gemini did", where=self._place("gemini"))

    def _agent(self, agent: str, packages: Sequence[str], where: Path, how: str) -> None:
        with contextlib.suppress(DemoError):  # the moves that are missing then are missed in `_work`
            for wp_id in packages:
                self._move(wp_id, agent, ["doing", "for_review"], where, how)

    def _mission_agent(self) -> None:
        with contextlib.suppress(DemoError):  # as above
            for wp_id in MISSION_TITLES:
                self._step(wp_id, MISSION_AGENT, ["claimed", "in_progress", "for_review"], self._coordination)

    def _merge(self) -> None:
        """One branch by a merge, one rebased and then fast-forwarded, one squashed: nothing of it is a transition."""
        self._git("merge", "-q", "--no-ff", "-m", "Merge claude", "claude")
        self._git("rebase", "-q", "main", where=self._place("codex"))
        self._git("merge", "-q", "--ff-only", "codex")
        self._git("merge", "-q", "--squash", "gemini")
        self._git("commit", "-q", "-m", "What gemini did, in one")

    def _review(self) -> None:
        for wp_id in TITLES:
            lanes = ["doing", "for_review", "done"] if wp_id == "WP04" else ["done"]
            self._move(wp_id, REVIEWER, lanes, self._scratch.project, "commit")
            if wp_id == "WP01":
                self._git("commit", "-q", "--amend", "-m", "WP01: done, and well done")
        self._finish_mission()

    def _finish_mission(self) -> None:
        """Reviewed on its branch, which is squashed onto main; what is done stands in main's log alone."""
        for wp_id in MISSION_TITLES:
            self._step(wp_id, REVIEWER, ["in_review", "approved"], self._coordination)
        self._git("merge", "-q", "--squash", f"kitty/mission-{MISSION}")
        meta = {"slug": MISSION, "target_branch": "main", "flattened": True}
        (self._specs / "meta.json").write_text(json.dumps(meta) + "\n")
        self._git("commit", "-q", "-a", "-m", "Merge the search")
        for wp_id in MISSION_TITLES:
            self._step(wp_id, "merge", ["done"], self._scratch.project)

    def _counted(self, board: Board) -> Counts:
        """Wait for the hub to have what was told; then ask the history whether anything was missed."""
        made = len(self._moves)
        wait_for(lambda: len(self._told()) >= made, f"the watcher ({made} moves)", seconds=_DELIVERY_SECONDS)
        told = self._told()
        wait_for(lambda: told <= board.taken().keys(), "the delivery", seconds=_DELIVERY_SECONDS)
        self._kittywatch("emit", "replay")
        told = self._told()
        return Counts(made=made, told=len(told), taken=len(board.taken()))

    # Helpers.

    def _told(self) -> set[str]:
        """The ids of the transitions in the log."""
        events = [json.loads(line) for line in self._scratch.kittywatch("log", "--json").splitlines()]
        return {one["event_id"] for one in events if one["event_type"] == "WPStatusChanged"}

    def _move(self, wp_id: str, agent: str, lanes: Sequence[str], where: Path, how: str) -> None:
        """One agent's process from its start to its end, which edits frontmatter."""
        self._run_agent([*program("kittywatch.demo.agent"), wp_id, agent, str(self._pause), how, *lanes], lanes, where)

    def _step(self, wp_id: str, agent: str, lanes: Sequence[str], where: Path) -> None:
        """The same for the mission, whose lanes are lines of its event log."""
        command = [*program("kittywatch.demo.mission"), MISSION, wp_id, agent, str(self._pause), *lanes]
        self._run_agent(command, lanes, where)

    def _run_agent(self, command: Sequence[str], lanes: Sequence[str], where: Path) -> None:
        process = self._scratch.start(command, where=where)
        said: list[str] = []
        lines = Lines(process, said.append)
        process.wait()
        lines.join()
        moves = [tuple(line.split()) for line in said]
        if process.returncode or len(moves) != len(lanes):
            raise DemoError(f"an agent ({shown(command[4:])})", said[-1:])
        self._moves += [(one[0], one[1], one[2]) for one in moves]

    @property
    def _specs(self) -> Path:
        return self._scratch.project / "kitty-specs" / MISSION

    @property
    def _coordination(self) -> Path:
        return self._scratch.project / coordination_worktree(MISSION)

    def _place(self, agent: str) -> Path:
        return self._scratch.root / agent

    def _git(self, *words: str, where: Path | None = None) -> None:
        place = "" if where is None else f"   (in {where.name}'s worktree)"
        command = shown(["git", *(word for word in words if word != "-q")])
        self._tell(f"$ {command}{place}".replace(str(self._scratch.root), ".."))
        self._scratch.git(*words, where=where)

    def _kittywatch(self, *words: str, said: str = "") -> None:
        self._tell(f"$ {shown(['kittywatch', *words])}")
        self._scratch.kittywatch(*words, said=said)

    def _watched(self, line: str) -> None:
        self._watching.set()
        self._tell(f"  {line}")

    def _tell(self, line: str) -> None:
        with self._turn:
            self._say(line)
