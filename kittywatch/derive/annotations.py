"""Annotations: what a change says besides lanes. Notes, review feedback, and who took a work package on.

Where the contract is silent, these are the rules:

1. A record is a note when it names the lane that the work package was in already: the lane before the change, for the
   first record that was appended; the record's before it, for the others. The first record of a file is its creation
   when it says planned. A record that names no lane that is known is neither.
2. Each record is seen once, whoever sees it: what it was taken for then (a note, a step) it stays. So is each text of
   feedback. What came from elsewhere is seen there.
3. Somebody took a work package on when the agent (else the assignee) is another one than had it last, and it is in
   doing (implementation) or for_review. Whoever comes with the move to for_review did the work (implementation), who
   comes later reviews. In another lane nobody takes anything on.
4. The reviewer's record is one right after a record of for_review, by somebody else: review. It stands before the step
   that it makes.
5. An assignment is an entry of the ledger like a step: known by its commit, by its identity, or by an entry of the same
   agent and phase that is concurrent. An uncommitted change of the agent that is taken back is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from kittywatch.derive.changes import Key, Provenance
from kittywatch.derive.facts import Annotation, Assigned, EmittedStep, Note
from kittywatch.derive.ledger import Entry, Phase, behind, identity
from kittywatch.derive.resolve import Occurrence, Resolver, is_alive
from kittywatch.derive.seen import SeenKeys, feedback_key, pairs_up, record_keys, stated_key
from kittywatch.derive.steps import DEFAULT_AGENT, LaneState
from kittywatch.workpackages.lanes import Lane, LaneNames
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.stated import Who
from kittywatch.workpackages.trail import digest

_NOBODY = frozenset(("system", "unknown", "user"))  # what tools write where they know no name


class Sighting(Struct):
    """One work package as a commit or an edit shows it: compared with `base`, which led to the `emitted` steps."""

    key: Key
    package: WorkPackage
    base: LaneState | None
    emitted: Sequence[EmittedStep]
    where: Occurrence


def annotate(resolver: Resolver, sighting: Sighting) -> list[Annotation]:
    """Resolve what a sighting says besides lanes, in the order of the trail; changes seen keys and entries."""
    if sighting.package.lane is None:
        return []
    if not sighting.where.is_kept:
        _pass_over(resolver, sighting)
        return []
    fresh, found = _notes(resolver, sighting)
    found += _reviewers(resolver, sighting, fresh)
    taken = _taken_on(resolver, sighting, fresh)
    return found + ([taken] if taken is not None else [])


def _pass_over(resolver: Resolver, sighting: Sighting) -> None:
    """Take note of who took the work package on, and of nothing else: it is the past of what is in scope."""
    first, _ = _appended(sighting.base, sighting.package)
    fresh = dict.fromkeys(range(first, len(sighting.package.trail)), True)
    _reviewers(resolver, sighting, fresh)
    _taken_on(resolver, sighting, fresh)


def see_silently(seen: SeenKeys, package: WorkPackage, kind: str) -> bool:
    """Record all that is there as `baseline` or `elsewhere`; whether any of it was new."""
    keys = record_keys(package.trail)
    if package.feedback:
        keys.append(feedback_key(package.feedback))
    keys += [stated_key(step.id) for step in package.stated]
    keys += [stated_key(step.id, "verdict") for step in package.stated if step.verdict is not None]
    keys += [stated_key(note.id) for note in package.notes]
    before = len(seen)
    for key in keys:
        seen.setdefault(key, kind)
    return len(seen) > before


def place_of(package: WorkPackage, moment: datetime, lane: Lane, names: LaneNames) -> float:
    """The place of a step among the records: its record's, or behind all of them."""
    for index, record in enumerate(package.trail):
        if record.moment == moment and names.lane(record.lane) == lane:
            return index
    return len(package.trail)


def _notes(resolver: Resolver, sighting: Sighting) -> tuple[dict[int, bool], list[Annotation]]:
    """The notes, and the indexes of appended records, each with whether nobody had seen it."""
    package, where = sighting.package, sighting.where
    kind = "told" if where.is_ours else "elsewhere"
    first, lane = _appended(sighting.base, package)
    keys = record_keys(package.trail)
    fresh: dict[int, bool] = {}
    found: list[Annotation] = []
    for index in range(first, len(keys)):
        record = package.trail[index]
        named = resolver.rules.names.lane(record.lane)
        if named is None:
            continue
        moves, lane = named != lane, named
        fresh[index] = see(resolver, sighting, keys[index], kind) and where.is_ours
        if fresh[index] and not moves and not (index == 0 and named == "planned"):
            note = Note("note", record.note or f"lane={record.lane}", record.agent)
            found += note_down(resolver, sighting, note, record.moment, index)
    feedback = package.feedback
    if feedback and see(resolver, sighting, feedback_key(feedback), kind) and where.is_ours:
        note = Note("review", feedback, package.reviewer or package.agent or DEFAULT_AGENT)
        found += note_down(resolver, sighting, note, where.moment, len(keys))
    return fresh, found


def _appended(base: LaneState | None, package: WorkPackage) -> tuple[int, Lane]:
    """From which record on the trail is new, and the lane before it; all of it, where it is not what it was."""
    if base is not None and digest(package.trail[: base.records]) == base.trail:
        return base.records, base.lane
    return 0, "planned"


def see(resolver: Resolver, sighting: Sighting, name: str, kind: str) -> bool:
    """Whether this is news; to a replay also what was only recorded with the baseline."""
    known = resolver.state.pages.get(sighting.key, {}).get(name)
    replayed = known == "baseline" and sighting.where.provenance is Provenance.HISTORY
    if known is not None and not replayed:
        return False
    resolver.state.seen(sighting.key)[name] = kind
    return True


def note_down(resolver: Resolver, sighting: Sighting, note: Note, moment: datetime, place: float) -> list[Annotation]:
    """Resolve a note that was not seen before: none if it was emitted manually."""
    if pairs_up(resolver.state.seen(sighting.key), "o", (note.kind, note.author, note.content)):
        return []
    return [Annotation(sighting.package, note, moment, place)]


def _reviewers(resolver: Resolver, sighting: Sighting, fresh: dict[int, bool]) -> list[Annotation]:
    """Those who reviewed, by their records (rule 4)."""
    package, names = sighting.package, resolver.rules.names
    found: list[Annotation] = []
    for index, is_fresh in fresh.items():
        if index == 0 or not is_fresh:
            continue
        before, record = package.trail[index - 1], package.trail[index]
        reviewed = names.lane(before.lane) == "for_review" and record.agent != before.agent
        if reviewed and record.agent not in _NOBODY:
            found += assign(resolver, sighting, (record.agent, "review"), record.moment, index - 0.5)
    return found


def _taken_on(resolver: Resolver, sighting: Sighting, fresh: dict[int, bool]) -> Annotation | None:
    """Who took it on, by the frontmatter (rule 3)."""
    package = sighting.package
    agent, lane = package.assigned, package.lane
    category = package.scheme.category(lane)
    if agent is None or category not in ("active", "review"):
        return None
    arrived = (sighting.base.lane if sighting.base else package.scheme.first) != lane
    phase: Phase = "implementation" if category == "active" or arrived else "review"
    moment, place = _when(resolver, sighting, fresh)
    return next(iter(assign(resolver, sighting, (agent, phase), moment, place)), None)


def _when(resolver: Resolver, sighting: Sighting, fresh: dict[int, bool]) -> tuple[datetime, float]:
    """When an assignment by the frontmatter was, and its place among the records.

    Who comes with the move to for_review was at work before it; else it was after all that the sighting says.
    """
    package, category = sighting.package, sighting.package.scheme.category
    steps = [one for one in sighting.emitted if one.step is not None]
    if package.lane is not None and category(package.lane) == "review" and steps:
        place = place_of(package, steps[-1].moment, package.lane, resolver.rules.names) - 0.25
        began = [one for one in steps if one.step is not None and category(one.step.new) == "active"]
        return (began or steps)[-1].moment, place
    own = [package.trail[index].moment for index in fresh if package.trail[index].agent == package.assigned]
    moment = steps[-1].moment if steps else (own[-1] if own else sighting.where.moment)
    return moment, len(package.trail) + 0.5


def assign(
    resolver: Resolver,
    sighting: Sighting,
    who: tuple[str, Phase],
    moment: datetime,
    place: float,
    about: Who | None = None,
) -> list[Annotation]:
    """Resolve an assignment (rule 5); returns it if it is to be emitted."""
    agent, phase = who
    state, key, where = resolver.state, sighting.key, sighting.where
    past = _past(resolver, key, where)
    if past and past[-1].agent == agent:
        return []
    name = identity(moment, f"@{phase}:{agent}")
    known = _known(resolver, key, name, who, where, past)
    if not where.is_kept:
        if known is None and where.commit is not None and all(name not in entry.identities for entry in past):
            entry = Entry("assigned", "remote", "doing", None, None, {name}, {(where.commit, "doing")}, agent=agent)
            entry.phase = phase
            resolver.passed_over.setdefault(key, []).append(entry)
        return []
    if known is not None:
        state.identify(key, known, name)
        if where.commit is not None:
            state.link(key, known, where.commit)
        return []
    what = Assigned(agent, phase, sum(1 for entry in past if entry.phase == phase), about)
    event_id = resolver.rules.identify(sighting.package, what, moment)
    status = "emitted" if where.is_ours else "remote"
    lane: Lane = "doing" if phase == "implementation" else "for_review"
    entry = Entry("assigned", "emitted", lane, None, event_id, {name}, first=where.commit, edited_on=where.tip)
    entry.agent, entry.phase = agent, phase
    if where.commit is not None:
        entry.links.add((where.commit, entry.lane))
    edit = resolver.pending.get(key)
    if where.commit is None and edit is not None:
        edit.entries.append(entry)
    state.add(key, entry)
    if status == "remote":
        entry.status = "remote"
        return []
    return [Annotation(sighting.package, what, moment, place, entry)]


def _past(resolver: Resolver, key: Key, where: Occurrence) -> list[Entry]:
    """The assignments before what is looked at, those of the same commit and of the worktree's edit included."""
    edit = resolver.pending.get(key)
    edited = edit.entries if edit is not None and where.commit is None else ()
    past = [
        entry
        for entry in (*resolver.state.history(key).assignments(), *resolver.passed_over.get(key, ()))
        if entry.status != "void"
        and (entry in edited or where.commit in entry.commits or resolver.is_behind(entry, where))
        and not (entry.kind == "known" and where.provenance is Provenance.HISTORY)
    ]
    return sorted(past, key=lambda entry: _rank(resolver, entry, past))


def _rank(resolver: Resolver, entry: Entry, past: list[Entry]) -> int:
    """How many of some assignments happened before one of them; an edit that is not committed comes after all."""
    if not entry.links:
        return len(past) if entry.edited_on is not None else 0
    return sum(1 for one in past if any(behind(one, commit, resolver.graph) for commit in entry.commits))


def _known(
    resolver: Resolver, key: Key, name: str, who: tuple[str, Phase], where: Occurrence, past: list[Entry]
) -> Entry | None:

    def _after(entry: Entry) -> bool:
        return where.commit is not None and any(resolver.graph.precedes(where.commit, one) for one in entry.commits)

    alive = [
        entry
        for entry in resolver.state.history(key).assignments()
        if entry.kind == "assigned" and entry not in past and is_alive(entry, where.view)
    ]
    alike = next((entry for entry in alive if name in entry.identities), None)
    return alike or next((entry for entry in alive if (entry.agent, entry.phase) == who and not _after(entry)), None)
