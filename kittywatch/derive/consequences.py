"""What follows from a step: who waits no longer, and whether the feature is complete.

What a lane means is its scheme's to say: a dependent may begin when a lane releases it (done; with an event log
approved as well, rule E13), and a feature is complete when nothing is left to do in it and one work package is done.

Where the contract is silent, these are the rules:

1. Both are decided when the step is emitted, which happens once, and so are they. They have its time.
2. Who depends on it, and which work packages a feature has, is what the commit or the worktree shows: its files.
3. Where the ledger knows that a work package went further on another branch, that counts as well. So the last one to
   be emitted completes the feature, on whichever branch; what a replay finds before the baseline goes by its commit.
4. Complete again is a feature only after one of its work packages left done, not because one was added. What was
   complete before kittywatch came (B1), or what others completed, needs the same.
5. Of several that reach done with one commit, the last one emitted completes the feature.
6. A step to done that was emitted manually causes the same, when the first observer comes by that shows it.
7. `merged` is what a merge itself decides; what came in with one has its own commits, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from kittywatch.derive.changes import FeatureGraph, Key, Provenance
from kittywatch.derive.facts import Cause, CompletionFact, Fact, ResolutionFact, TransitionFact
from kittywatch.derive.ledger import CommitGraph, LedgerState
from kittywatch.derive.seen import COMPLETE
from kittywatch.workpackages.lanes import Lane

_ONLY_PASSING = (Provenance.HISTORY, Provenance.OUT_OF_SCOPE)
"""What a replay comes by and does not keep: whether a feature was complete then is no news of what it is now."""


class ChangeContext(Struct, frozen=True):
    """How steps came in: whose they are, whether a merge decided them, and the features as they are now.

    `commits` says what precedes what, None where nobody knows.
    """

    provenance: Provenance = Provenance.LOCAL
    is_merge: bool = False
    graphs: Mapping[str, FeatureGraph] = field(default_factory=dict)
    commits: CommitGraph | None = None


def reopen(state: LedgerState, feature: str, provenance: Provenance) -> None:
    """Record that a work package of a feature left done: it is not complete, and who waits for it waits again."""
    page = state.page_of(feature)
    if provenance in _ONLY_PASSING:
        state.complete.discard(page[0])
    elif COMPLETE in state.pages.get(page, {}):
        del state.seen(page)[COMPLETE]


def left_done(state: LedgerState, key: Key, feature: str) -> None:
    """Record an emitted step out of done: what followed from the one to done can follow again."""
    reopen(state, feature, Provenance.LOCAL)
    for name in [name for name in state.pages.get(key, {}) if name[0] in "dp"]:
        del state.seen(key)[name]


def with_consequences(state: LedgerState, facts: list[Fact], context: ChangeContext) -> list[Fact]:
    """The same facts, each step to done with what follows from it right after it."""
    causes = _causes(state, facts, context)
    last = {cause.feature: at for at, cause in causes.items() if cause.ends}
    late = _manual_causes(state, context) if context.provenance is Provenance.LOCAL else []
    found: list[Fact] = []
    for at, fact in enumerate(facts):
        found.append(fact)
        if (cause := causes.get(at)) is not None:
            found += _resolved(state, cause, context)
            if last.get(cause.feature) == at and cause.feature not in {one.feature for one in late}:
                found += _completed(state, cause, context)
    for number, cause in enumerate(late):
        found += _resolved(state, cause, context)
        if all(other.feature != cause.feature for other in late[number + 1 :]):
            found += _completed(state, cause, context)
    if context.provenance is not Provenance.LOCAL:
        for feature, graph in context.graphs.items():
            if _work_packages(state, feature, graph, context):
                _note_complete(state, feature, context)
    return found


def _causes(state: LedgerState, facts: list[Fact], context: ChangeContext) -> dict[int, Cause]:
    """The steps among some facts that others follow from, by their places; takes note of those that go back."""
    causes: dict[int, Cause] = {}
    for at, fact in enumerate(facts):
        if not isinstance(fact, TransitionFact) or (step := fact.emitted.step) is None:
            continue
        package, entry = fact.emitted.package, fact.emitted.entry
        scheme = package.scheme
        released, over = scheme.releases(step.previous), scheme.is_over(step.previous)
        releases, ends = scheme.releases(step.new), scheme.is_over(step.new)
        if context.provenance is not Provenance.HISTORY:
            key = state.key(*package.key)
            if released and not releases:
                left_done(state, key, package.feature)
            elif over and not ends:
                reopen(state, package.feature, Provenance.LOCAL)
        if (releases and not released) or (ends and not over):
            who = package.feature, package.wp_id, entry.event_id or ""
            causes[at] = Cause(*who, fact.emitted.moment, fact.commit, releases and not released, ends and not over)
    return causes


def _manual_causes(state: LedgerState, context: ChangeContext) -> list[Cause]:
    """Steps to done that were emitted manually, and that an observer sees now (rule 6)."""
    causes: list[Cause] = []
    waiting = {key[1] for key, page in state.pages.items() if any(name[0] == "p" for name in page)}
    for feature, graph in sorted(context.graphs.items()):
        for wp_id in sorted(waiting & graph.dependencies.keys()):
            key = state.key(graph.home or feature, wp_id)
            if wp_id in graph.others or not graph.scheme(wp_id).releases(graph.lanes.get(wp_id)):
                continue
            for name, when in [item for item in state.pages.get(key, {}).items() if item[0][0] == "p"]:
                del state.seen(key)[name]
                causes.append(Cause(feature, wp_id, name[1:], datetime.fromisoformat(when), None))
    return causes


def _resolved(state: LedgerState, cause: Cause, context: ChangeContext) -> list[Fact]:
    graph = context.graphs.get(cause.feature)
    found: list[Fact] = []
    if graph is None or not cause.releases:
        return found
    key = state.key(graph.home or cause.feature, cause.wp_id)
    for wp_id, dependencies in sorted(graph.dependencies.items()):
        if cause.wp_id not in dependencies:
            continue
        if context.provenance is Provenance.LOCAL:
            before = state.pages.get(key, {}).get(f"d{wp_id}")
            state.seen(key)[f"d{wp_id}"] = "told"
            if before == "by hand":
                continue
        feature = graph.others.get(wp_id, cause.feature)
        found.append(ResolutionFact(cause, wp_id, "merged" if context.is_merge else "completed", feature))
    return found


def _completed(state: LedgerState, cause: Cause, context: ChangeContext) -> list[Fact]:
    feature, graph = cause.feature, context.graphs.get(cause.feature)
    if graph is None or not (count := _work_packages(state, feature, graph, context)):
        return []
    if _is_complete(state, feature, context):
        return []
    _note_complete(state, feature, context)
    return [CompletionFact(cause, count, graph.created_at)]


def _is_complete(state: LedgerState, feature: str, context: ChangeContext) -> bool:
    page = state.page_of(feature)
    if context.provenance is Provenance.HISTORY:
        return page[0] in state.complete
    return COMPLETE in state.pages.get(page, {})


def _note_complete(state: LedgerState, feature: str, context: ChangeContext) -> None:
    page = state.page_of(feature)
    if context.provenance in _ONLY_PASSING:
        state.complete.add(page[0])
    elif COMPLETE not in state.pages.get(page, {}):
        state.seen(page)[COMPLETE] = "told"


def _work_packages(state: LedgerState, feature: str, graph: FeatureGraph, context: ChangeContext) -> int:
    """How many work packages a feature has; 0 unless nothing is left to do in any of them, and one is done."""
    count, any_done = 0, False
    for wp_id in graph.dependencies.keys() - graph.others.keys():
        shown, scheme = graph.lanes.get(wp_id), graph.scheme(wp_id)
        if scheme.is_over(shown):
            count, any_done = count + 1, any_done or scheme.is_done(shown)
            continue
        further = _further(state, state.key(graph.home or feature, wp_id), context)
        if scheme.is_over(further):
            count, any_done = count + 1, any_done or scheme.is_done(further)
        elif shown is not None:
            return 0
    return count if any_done else 0


def _further(state: LedgerState, key: Key, context: ChangeContext) -> Lane | None:
    """The lane that the ledger knows of a work package, which may have gone further on another branch (rule 3)."""
    history = state.histories.get(key)
    if context.provenance is not Provenance.LOCAL or history is None:
        return None
    return history.last_lane(context.commits)
