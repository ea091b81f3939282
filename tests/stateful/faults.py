"""How strong is the machine: `python -m tests.stateful.faults [SECONDS [WORDS…]]`.

Each fault is put into a copy of the package, and the machine is let loose on it until it finds something, for so many
seconds at most (120). Prints a table: after how many operations and seconds each was found, and by which rule.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SECONDS = 120.0
_GIT_CONFIGURATION = "[user]\n\tname = Test Author\n\temail = author@example.invalid\n[init]\n\tdefaultBranch = main\n"


@dataclass(frozen=True)
class Fault:
    """A fault in words, and the text in a file of the package that it replaces."""

    words: str
    file: str
    right: str
    wrong: str


FAULTS = (
    Fault(
        "O1: an entry that a commit introduced is not known by that commit (resolving, 1)",
        "derive/resolve.py",
        "            if own in entry.links or (replaced & entry.links and not self.is_behind(entry, where)):\n",
        "            if False:\n",
    ),
    Fault(
        "D8: a step is not known by its identity (resolving, 2)",
        "derive/resolve.py",
        "        name = identity(moment, step.new)\n        alike =",
        '        name = identity(moment, step.new) + "?"\n        alike =',
    ),
    Fault(
        "O1: a commit does not take over what was emitted for its edit (resolving, 3)",
        "derive/resolve.py",
        "        if edit is not None and edit.entries:\n            return self._taken_over(",
        "        if False and edit is not None:\n            return self._taken_over(",
    ),
    Fault(
        "B2: a concurrent commit's move without a record is another one (resolving, 4)",
        "derive/resolve.py",
        "        return found or self._concurrent(key, step, moment, where, used)\n",
        "        return found\n",
    ),
    Fault(
        "O3: what others made is emitted (resolving, 5)",
        "derive/resolve.py",
        '        if not where.is_ours:\n            entry.status = "remote"',
        '        if False:\n            entry.status = "remote"',
    ),
    Fault(
        "O7: an entry that is behind a rewritten commit is matched",
        "derive/resolve.py",
        "(replaced & entry.links and not self.is_behind(entry, where))",
        "(replaced & entry.links)",
    ),
    Fault(
        "B2: an entry that is behind a commit is taken for concurrent",
        "derive/concurrent.py",
        'if entry.status == "void" or behind(entry, commit or tip, graph, inclusive=commit is None):',
        'if entry.status == "void":',
    ),
    Fault(
        "B2: what descends from a commit is taken for concurrent with it",
        "derive/concurrent.py",
        "any(one == commit or graph.precedes(commit, one) for one in seen_on)",
        "any(one == commit for one in seen_on)",
    ),
    Fault(
        "O4: what a squash has in it is not behind it (join past)",
        "derive/concurrent.py",
        "        if any(behind(other, one, graph) for one in entry.commits):\n",
        "        if False:\n",
    ),
    Fault(
        "O5: what was taken back is known when it is made again (void)",
        "derive/resolve.py",
        '    return entry.status != "void" or entry.taken_back_in not in (None, view)',
        "    return True",
    ),
    Fault(
        "O2: what was taken back in one view is taken back in all of them (void)",
        "derive/resolve.py",
        '    return entry.status != "void" or entry.taken_back_in not in (None, view)',
        '    return entry.status != "void"',
    ),
    Fault(
        "O11: a step that is known under another id has no alias",
        "derive/ledger.py",
        'if entry.event_id and own != entry.event_id and entry.kind == "step":',
        "if False and entry.event_id:",
    ),
    Fault(
        "D8: of two steps with one identity in one history the second is not moved on (ordinals)",
        "derive/resolve.py",
        "        while self._past_has(history, identity(moment, step.new), where, used):\n",
        "        while False:\n",
    ),
    Fault(
        "O5: a discarded edit was staged before (pending takeover)",
        "derive/resolve.py",
        "        if self.look is None or self.look.shows(key) != edit.state:\n            return False",
        "        if self.look is None:\n            return False",
    ),
    Fault(
        "O5: an edit that is discarded is forgotten silently",
        "derive/edits.py",
        "if home is None or not edit.entries or edit.state.lane == home.lane:",
        "if True:",
    ),
    Fault(
        "O2: a file that HEAD was moved under is an edit",
        "derive/edits.py",
        "if edit is None and not package.stated and before.get(key) == lane_state(package):",
        "if False:",
    ),
    Fault(
        "O4: a rewritten branch is resolved commit by commit whatever it lost",
        "derive/rewrites.py",
        "    lost = _lost(resolver, contained, rewrite)\n",
        "    lost: dict[Key, list[Entry]] = {}\n",
    ),
    Fault(
        "O4: of what a rewrite adds the net difference is silent (table, row 2)",
        "derive/rewrites.py",
        "            if now.lane != self.was.lane:\n                facts = self._emit_net(",
        "            if False:\n                facts = self._emit_net(",
    ),
    Fault(
        "O4: what a rewrite lost is not in what it added (table, row 1)",
        "derive/rewrites.py",
        "            self._absorb(fresh)\n            return facts",
        "            return facts",
    ),
    Fault(
        "O4: a rewrite onto known steps takes back (table, row 3)",
        "derive/rewrites.py",
        "        if self._is_known(now):\n",
        "        if False:\n",
    ),
    Fault(
        "O5: a reset is silent (table, row 4)",
        "derive/rewrites.py",
        "        return self._take_back(self.package) if self.contained else []",
        "        return []",
    ),
    Fault(
        "O5: what a reset left in the worktree is taken back (table, row 4, an edit again)",
        "derive/rewrites.py",
        "        if shows is not None and (shows == self.was or (edit is not None and shows == edit.state)):",
        "        if False:",
    ),
    Fault(
        "O3: what others made is taken back here (table, row 4, others')",
        "derive/rewrites.py",
        'if self.key in self.rewrite.pulled or (steps and steps[-1].status == "remote"):',
        "if False:",
    ),
    Fault(
        "O2: a view is compared with the one before (boundary)",
        "observe/ranges.py",
        "        tip, old = visit.tip, self.tips.get(visit.ref)\n",
        "        tip, old = visit.tip, next(iter(self.tips.values()), None)\n",
    ),
    Fault(
        "O7: what is new on a branch is cut off at HEAD (boundary)",
        "observe/ranges.py",
        "boundary = [old] if old is not None else [*self.boundaries,",
        "boundary = [old] if old is not None else [self.git.head().tip or new, *self.boundaries,",
    ),
    Fault(
        "B1: what was there before the baseline is resolved (boundary)",
        "observe/ranges.py",
        "commits = self.git.commits(new, without=[*boundary, *self.baselines])",
        "commits = self.git.commits(new, without=boundary)",
    ),
    Fault(
        "B1: the baseline is not behind what comes after it",
        "derive/ledger.py",
        '    if entry.kind == "known" and entry.status == "baseline":\n        return True\n',
        "",
    ),
    Fault(
        "B2: a replay across the baseline emits what was emitted since",
        "observe/replay.py",
        "            resolver.join(one, at)\n",
        "            state.histories.clear()\n            resolver.join(one, at)\n",
    ),
    Fault(
        "B1: what was recorded with the baseline is emitted by whoever comes by",
        "derive/resolve.py",
        "return where.is_replay and where.is_ours and entry.event_id is None",
        "return where.is_ours and entry.event_id is None",
    ),
    Fault(
        "O3: elsewhere's commits are taken for ours (provenance)",
        "observe/provenance.py",
        "found.update({commit: Provenance.REMOTE for commit in unmade if commit not in local})",
        "found.update({})",
    ),
    Fault(
        "O3: what was made here and pushed is taken for elsewhere's (provenance)",
        "observe/provenance.py",
        "            unmade = [commit for commit in unmade if commit not in self._everywhere()]\n",
        "            unmade = wanted\n",
    ),
    Fault(
        "O6: a rebase is looked at while it goes on",
        "git/state.py",
        'if (directory / state).exists() and hook != "post-rewrite":',
        "if False:",
    ),
    Fault(
        "O7: branches that HEAD was on meanwhile are not looked at",
        "observe/head_moves.py",
        "        if stay.tip is not None and git.exists(stay.tip):\n",
        "        if False:\n",
    ),
    Fault(
        "O8: what is told is committed before where the view stands",
        "observe/observation.py",
        "        unit.ledger.save(plan.state)\n",
        "        unit.ledger.save(plan.state)\n"
        '        unit.connection.execute("COMMIT")\n'
        '        unit.connection.execute("BEGIN IMMEDIATE")\n',
    ),
    Fault(
        "O1: a plan that another process has overtaken is carried out",
        "observe/observation.py",
        "if self.carried_out or unit.ledger.version() != before.version or rows.observed() != before.observed:",
        "if self.carried_out or rows.observed() != before.observed:",
    ),
    Fault(
        "D2: a work package is created again in each view",
        "derive/resolve.py",
        "        if known is not None and not self._is_news(known, where):\n",
        "        if False and known is not None:\n",
    ),
    Fault(
        "D3: the old trail need not be the beginning of the new one",
        "derive/steps.py",
        "if before and digest(package.trail[:known]) != before.trail:",
        "if False:",
    ),
    Fault(
        "D3: times in a trail may run backwards",
        "derive/steps.py",
        "if any(later.moment < earlier.moment for earlier, later in pairwise(appended)):",
        "if False:",
    ),
    Fault(
        "D7: what a merge brings in counts as the merge's own",
        "observe/history.py",
        "        if len(commit.parents) > 1:\n            difference = self._decided(",
        "        if False:\n            difference = self._decided(",
    ),
)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    wanted = [one for one in FAULTS if all(word in one.words for word in sys.argv[2:])]
    for fault in wanted:
        with tempfile.TemporaryDirectory(prefix="kittywatch-fault-") as directory:
            print(f"{fault.words:90} {measured(fault, Path(directory), seconds)}", flush=True)


def measured(fault: Fault, directory: Path, seconds: float) -> str:
    """What the machine says of a fault."""
    for name in ("kittywatch", "hooks", "tests"):
        shutil.copytree(PROJECT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = directory / "kittywatch" / fault.file
    text = file.read_text("utf-8")
    assert text.count(fault.right) == 1, f"{fault.words}: the text in {fault.file} is another one by now"
    file.write_text(text.replace(fault.right, fault.wrong), "utf-8")
    configuration = directory / ".gitconfig"
    configuration.write_text(_GIT_CONFIGURATION, "utf-8")
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        "PYTHONPATH": str(directory),
        "HOME": str(directory),
        "SPEC_KITTY_HOME": str(directory / ".spec-kitty"),
        "GIT_CONFIG_GLOBAL": str(configuration),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    command = [sys.executable, "-P", "-c", f"from tests.stateful.faults import hunt; hunt({seconds})"]
    done = subprocess.run(command, cwd=directory, env=own, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip()[-300:]


def hunt(seconds: float) -> None:
    """Run the machine until it finds something; prints after how much, and what."""
    from tests.stateful.campaign import machine, run_seed

    with machine() as made:
        start, number = time.monotonic(), 0
        while time.monotonic() < start + seconds:
            number += 1
            try:
                run_seed(made, number, examples=20, shrinks=False)
            except Exception as error:
                said = str(error).splitlines()[0] if str(error) else ""
                after = f"{made.done.total():5} operations {time.monotonic() - start:6.1f} s"
                print(f"{after}  {type(error).__name__}: {said[:90]}")
                return
        print(f"{made.done.total():5} operations {time.monotonic() - start:6.1f} s  not found")


if __name__ == "__main__":
    main()
