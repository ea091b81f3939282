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
        "O1: a plan that another process has overtaken is carried out",
        "observe/observation.py",
        "if rows.checkout(str(self.git.directory)) != before.checkout or rows.observed() != before.observed:",
        "if rows.observed() != before.observed:",
    ),
    Fault(
        "O1: what was told is looked for by event id alone (squash merges)",
        "derive/log.py",
        'return entry.kind in ("step", "elsewhere") and entry.lane == lane',
        "return False",
    ),
    Fault(
        "O1: a view's cursor stays where it was",
        "derive/settle.py",
        "    settled.known = Known(now, cursor)\n",
        "    settled.known = Known(now, known.cursor)\n",
    ),
    Fault(
        "O2: a branch is compared with the one that was checked out before",
        "observe/observation.py",
        "            plans.append(self._view(stop, tips, observed, planner))",
        "            last = plans[-1].ref if plans else before.checkout.ref if before.checkout else stop.ref\n"
        "            plans.append(planner.continued(stop.ref, tips.get(last), stop.tip))",
    ),
    Fault(
        "O3: elsewhere's commits are taken for ours",
        "observe/origins.py",
        'origins.update({commit: "elsewhere" for commit in unmade if commit not in local})',
        "origins.update({})",
    ),
    Fault(
        "O3: what was made here and pushed is taken for elsewhere's",
        "observe/origins.py",
        "unmade = [commit for commit in unmade if commit not in self._made_everywhere]",
        "unmade = wanted",
    ),
    Fault(
        "O4: a rewritten branch is told commit by commit",
        "observe/views.py",
        "if commits is not None or old is None or self.git.is_ancestor(old, new):",
        "if True:",
    ),
    Fault(
        "O4: of an amended commit nothing is told",
        "observe/views.py",
        "                plan.snapshots.append(part)\n            elif key in theirs",
        "                pass\n            elif key in theirs",
    ),
    Fault(
        "O4: what a merge brings in counts as the merge's own",
        "observe/views.py",
        'if len(commit.parents) > 1 and origin != "elsewhere":',
        "if False:",
    ),
    Fault(
        "O5: an edit that is discarded is forgotten silently",
        "derive/edits.py",
        "if edit.shown.lane == home.shown.lane:",
        "if True:",
    ),
    Fault(
        "O5: a reset is silent",
        "observe/observation.py",
        "if plan.undone is not None:\n            self._tell(",
        "if False:\n            self._tell(",
    ),
    Fault(
        "O6: a rebase is looked at while it goes on",
        "git/state.py",
        'if (directory / state).exists() and hook != "post-rewrite":',
        "if False:",
    ),
    Fault(
        "O7: branches that HEAD was on meanwhile are not looked at",
        "observe/stops.py",
        "if stay.tip is not None and git.exists(stay.tip):",
        "if False:",
    ),
    Fault(
        "O7: what others merged before anybody looked is theirs",
        "observe/stops.py",
        "for commit in (back, *stay.overtaken) if",
        "for commit in (back,) if",
    ),
    Fault(
        "O8: what is told is committed before where the view stands",
        "observe/observation.py",
        "        unit.ledger.save(book, view=view)\n        book.saved()\n        return view",
        '        unit.connection.execute("COMMIT")\n        unit.connection.execute("BEGIN IMMEDIATE")\n'
        "        unit.ledger.save(book, view=view)\n        book.saved()\n        return view",
    ),
    Fault(
        "D2: a work package is created again in each view",
        "derive/settle.py",
        'if first is not None and first.kind == "created":',
        "if False and first is not None:",
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
        "B2: a replay tells from the baseline what was told since",
        "derive/settle.py",
        'if rules.mode == "history" and not sighting.past:',
        "if False:",
    ),
)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    wanted = [one for one in FAULTS if all(word in one.words for word in sys.argv[2:])]
    for fault in wanted:
        with tempfile.TemporaryDirectory(prefix="kittywatch-fault-") as directory:
            print(f"{fault.words:75} {measured(fault, Path(directory), seconds)}", flush=True)


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
