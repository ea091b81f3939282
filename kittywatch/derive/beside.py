"""What a sighting of a work package tells besides its lanes: notes, review feedback, and who took it on.

Where the contract is silent, these are the rules:

1. A record is a note when it names the lane that the work package was in already: the lane that the view showed, for
   the first record that was appended; the record's before it, for the others. The first record of a file is its
   creation when it says planned. A record that names no lane that is known is neither.
2. Each record is met once, whoever meets it: what it was taken for then (a note, a step) it stays. So is each text of
   feedback. What came from elsewhere is met there.
3. Somebody took a work package on when the agent (else the assignee) is another one than had it last, and it is in
   doing (implementation) or for_review. Whoever comes with the move to for_review did the work (implementation), who
   comes later reviews. In another lane nobody takes anything on.
4. The reviewer's record is one right after a record of for_review, by somebody else: review. It stands before the step
   that it makes.
5. An assignment is told once in a stay in a lane; one that was there before the view's last one is found ahead of its
   cursor, as steps are. An uncommitted change of the agent that is taken back is none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from kittywatch.derive.log import Entry, Log, Phase
from kittywatch.derive.marks import Marks, feedback_key, pairs_up, record_keys
from kittywatch.derive.settle import Assigned, Known, Rules, Settled, Sighting
from kittywatch.derive.steps import DEFAULT_AGENT
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.trail import Record, digest

_NOBODY = frozenset(("system", "unknown", "user"))  # what tools write where they know no name


class Note(Struct, frozen=True):
    """An entry of a work package's history."""

    kind: Literal["note", "review"]
    content: str
    author: str


class Beside(Struct, frozen=True):
    """One thing to tell; `place` orders it among the records of the trail, as `place_of` does the steps."""

    package: WorkPackage
    what: Note | Assigned
    moment: datetime
    place: float
    entry: Entry | None = None


class Taken(Struct):
    """Who took a work package on as far as a history has walked, whether it tells that or not."""

    last: str | None = None
    implementation: int = 0
    review: int = 0


Fresh: TypeAlias = dict[int, bool]
"""Indexes of the records that were appended, each with whether nobody had met it."""


def beside(
    log: Log, marks: Marks, sighting: Sighting, settled: Settled, rules: Rules, taken: Taken | None = None
) -> list[Beside]:
    """Tell what a settled sighting says besides its lanes; adds to `log` and `marks`, moves the cursor.

    `taken` is there for a history, which goes by its own walk, and is changed.
    """
    known = settled.known
    if known is None or sighting.package.lane is None:
        return []
    appended, told = _notes(marks, sighting, settled, rules)
    told += _reviewers(log, appended, sighting, settled, rules, taken)
    one = _taken_on(log, appended, sighting, settled, rules, taken)
    return told + ([one] if one else [])


def take_in(marks: Marks, package: WorkPackage, kind: Literal["baseline", "elsewhere"]) -> bool:
    """Meet all that is there without telling it; whether any of it was new."""
    keys = record_keys(package.trail)
    if package.feedback:
        keys.append(feedback_key(package.feedback))
    before = len(marks)
    for key in keys:
        marks.setdefault(key, kind)
    return len(marks) > before


def place_of(package: WorkPackage, moment: datetime, lane: Lane, names: LaneNames) -> float:
    """The place of a step among the records: its record's, or behind all of them."""
    for index, record in enumerate(package.trail):
        if record.moment == moment and names.lane(record.lane) == lane:
            return index
    return len(package.trail)


def _silent(sighting: Sighting, settled: Settled) -> bool:
    return sighting.origin == "elsewhere" or settled.taken_in


def _notes(marks: Marks, sighting: Sighting, settled: Settled, rules: Rules) -> tuple[Fresh, list[Beside]]:
    package, silent = sighting.package, _silent(sighting, settled)
    left_out = silent and rules.mode == "history"
    kind = "elsewhere" if silent else "told"
    first, lane = _appended(settled.basis, package)
    appended: Fresh = {}
    told: list[Beside] = []
    keys = record_keys(package.trail)
    for index in range(first, len(keys)):
        record = package.trail[index]
        named = rules.names.lane(record.lane)
        if named is None:
            continue
        moves, lane = named != lane, named
        appended[index] = not left_out and _meet(marks, keys[index], kind, rules) and not silent
        if appended[index] and not moves and not (index == 0 and named == "planned"):
            note = Note("note", record.note or f"lane={record.lane}", record.agent)
            told += _note(marks, package, note, record.moment, index)
    feedback = package.feedback
    if feedback and not left_out and _meet(marks, feedback_key(feedback), kind, rules) and not silent:
        note = Note("review", feedback, package.reviewer or package.agent or DEFAULT_AGENT)
        told += _note(marks, package, note, sighting.moment, len(keys))
    return appended, told


def _appended(basis: Known | None, package: WorkPackage) -> tuple[int, Lane]:
    """From which record on the trail is new, and the lane before it; all of it, where it is not what it was."""
    if basis is not None and digest(package.trail[: basis.shown.records]) == basis.shown.trail:
        return basis.shown.records, basis.shown.lane
    return 0, "planned"


def _meet(marks: Marks, key: str, kind: str, rules: Rules) -> bool:
    """Whether this is news; to a history also what was only taken in with the baseline."""
    known = marks.get(key)
    if known is not None and not (known == "baseline" and rules.mode == "history"):
        return False
    marks[key] = kind
    return True


def _note(marks: Marks, package: WorkPackage, note: Note, moment: datetime, place: int) -> list[Beside]:
    if pairs_up(marks, "o", (note.kind, note.author, note.content)):
        return []
    return [Beside(package, note, moment, place)]


def _reviewers(
    log: Log, appended: Fresh, sighting: Sighting, settled: Settled, rules: Rules, taken: Taken | None
) -> list[Beside]:
    """Those who reviewed, by their records (rule 4)."""
    told: list[Beside] = []
    package = sighting.package
    for index, fresh in appended.items():
        record, known = package.trail[index], settled.known
        if index == 0 or not _reviews(package.trail[index - 1], record, rules):
            continue
        retry_count = _walked(taken, record.agent, "review")
        if retry_count is None or not fresh or known is None or known.cursor is None:
            continue
        made = [one.entry for one in settled.told if one.step and one.moment == record.moment]
        behind = log.before(made[0]) if made else _end_of_stay(log, known.cursor, rules)
        if taken is None and log.agent(behind) == record.agent:
            continue
        one = _assign(log, behind, (record.agent, "review", retry_count), sighting, record.moment, index - 0.5, rules)
        told.append(one)
        if not made:
            settled.known = Known(known.shown, one.entry)
    return told


def _reviews(before: Record, record: Record, rules: Rules) -> bool:
    for_review = rules.names.lane(before.lane) == "for_review"
    return for_review and record.agent != before.agent and record.agent not in _NOBODY


def _walked(taken: Taken | None, agent: str, phase: Phase) -> int | None:
    """How many were before an agent in the walk of a history, None where it has come by that one last.

    -1 outside of a history, where the log says so.
    """
    if taken is None:
        return -1
    if agent == taken.last:
        return None
    before = taken.implementation if phase == "implementation" else taken.review
    if phase == "implementation":
        taken.implementation += 1
    else:
        taken.review += 1
    taken.last = agent
    return before


def _taken_on(
    log: Log, appended: Fresh, sighting: Sighting, settled: Settled, rules: Rules, taken: Taken | None
) -> Beside | None:
    """Who took it on, by the frontmatter (rules 3 and 5)."""
    package, known = sighting.package, settled.known
    agent, lane = package.assigned, package.lane
    if agent is None or lane not in ("doing", "for_review"):
        return None
    arrived = settled.basis is not None and settled.basis.shown.lane != lane
    phase: Phase = "implementation" if lane == "doing" or arrived else "review"
    retry_count = _walked(taken, agent, phase)
    if retry_count is None or known is None or known.cursor is None or agent == log.agent(known.cursor):
        return None
    found = next((entry for entry in log.stay(known.cursor) if entry.agent == agent), None)
    if found is not None:
        settled.known = Known(known.shown, found)
        return None
    if _silent(sighting, settled):
        if rules.mode == "live":
            base = log.base(known.cursor)
            noted = Entry("assigned", base.lane if base else lane, commit=sighting.commit, agent=agent, phase=phase)
            settled.known = Known(known.shown, log.add(noted, after=_end_of_stay(log, known.cursor, rules)))
        return None
    behind, moment, place = _when(log, known.cursor, appended, sighting, settled, rules)
    told = _assign(log, behind, (agent, phase, retry_count), sighting, moment, place, rules)
    if log.position(told.entry) > log.position(known.cursor):
        settled.known = Known(known.shown, told.entry)
    return told


def _when(
    log: Log, cursor: Entry, appended: Fresh, sighting: Sighting, settled: Settled, rules: Rules
) -> tuple[Entry | None, datetime, float]:
    """Behind which entry an assignment by the frontmatter stands, when it was, and its place among the records.

    Who comes with the move to for_review was at work before it; else it was after all that the sighting tells.
    """
    package = sighting.package
    steps = [one for one in settled.told if one.step]
    if package.lane == "for_review" and steps:
        behind = log.before(steps[-1].entry)
        place = place_of(package, steps[-1].moment, "for_review", rules.names) - 0.25
        began = [one for one in steps if one.step and one.step.new == "doing"]
        return behind, (began or steps)[-1].moment, place
    own = [package.trail[index].moment for index in appended if package.trail[index].agent == package.assigned]
    moment = steps[-1].moment if steps else (own[-1] if own else sighting.moment)
    return _end_of_stay(log, cursor, rules), moment, len(package.trail) + 0.5


def _end_of_stay(log: Log, cursor: Entry, rules: Rules) -> Entry:
    """Behind all that was told of a stay; a history goes by its cursor, because steps may be missing there yet."""
    return cursor if rules.mode == "history" else next(reversed(log.stay(cursor)), cursor)


def _assign(
    log: Log,
    behind: Entry | None,
    who: tuple[str, Phase, int],
    sighting: Sighting,
    moment: datetime,
    place: float,
    rules: Rules,
) -> Beside:
    agent, phase, before = who
    if before < 0:
        before = sum(1 for entry in log.entries[: log.position(behind)] if entry.phase == phase)
    lane: Lane = behind.lane if behind else "doing" if phase == "implementation" else "for_review"
    what = Assigned(agent, phase, before)
    event_id = rules.identify(sighting.package, what, moment)
    entry = log.add(Entry("assigned", lane, event_id, sighting.commit, agent=agent, phase=phase), after=behind)
    return Beside(sighting.package, what, moment, place, entry)
