"""One commit: its steps, notes, assignments, new features and broken contents, as facts."""

from __future__ import annotations

from collections.abc import Iterable

from kittywatch.derive.annotations import Sighting, annotate, place_of, see_silently
from kittywatch.derive.changes import BrokenContent, CommitChanges, FeatureInfo, Key, Provenance
from kittywatch.derive.consequences import ChangeContext, reopen, with_consequences
from kittywatch.derive.distinct import one_by_one
from kittywatch.derive.facts import AnnotationFact, EmittedStep, ErrorFact, Fact, FeatureFact, TransitionFact, place
from kittywatch.derive.ledger import Entry, LedgerState, Move, identity
from kittywatch.derive.resolve import Occurrence, Resolver
from kittywatch.derive.seen import COMPLETE, manual_key
from kittywatch.derive.stated import StatedChange, record_stated, resolve_stated
from kittywatch.derive.steps import steps_between
from kittywatch.workpackages.reader import WorkPackage


def resolve_commit(
    resolver: Resolver, changes: CommitChanges, where: Occurrence, *, without: Iterable[Key] = ()
) -> list[Fact]:
    """Resolve a commit: what is to be emitted of it, by feature, then work package, then the order of the steps.

    Of the work packages `without`, lanes are left out: they are resolved otherwise.
    """
    state = resolver.state
    for new, old in changes.renamed.items():
        state.rename(new, old, changes.commit)
    left_out = set(without)
    facts: list[Fact] = []
    feature = None
    for change in sorted(changes.packages, key=lambda one: (one.package.feature, one.wp_id)):
        package = change.package
        if package.lane is None:
            continue
        if package.feature != feature:
            feature = package.feature
            facts += feature_fact(resolver, feature, changes.features.get(feature), where)
        key = state.key(*package.key)
        if change.before is not None and package.home is not None and change.before.feature != feature:
            state.moves.append(Move(change.before.feature, feature, change.wp_id, changes.commit))
        scheme = package.scheme
        if change.base is not None and scheme.is_over(change.base.lane) and not scheme.is_over(package.lane):
            reopen(state, feature, where.provenance)
        if package.stated:
            facts += resolve_stated(resolver, StatedChange(key, package, change.before, change.base, where))
            continue
        emitted = resolver.steps(change, where) if key not in left_out else []
        facts += package_facts(resolver, Sighting(key, package, change.base, emitted, where))
        if key not in left_out:
            resolver.take_over_rest(key, package, where)
    facts = in_order(facts + errors(resolver, changes.broken, where))
    context = ChangeContext(where.provenance, changes.is_merge, changes.graphs, resolver.graph)
    return with_consequences(state, facts, context)


def package_facts(resolver: Resolver, sighting: Sighting) -> list[Fact]:
    """The facts of one work package: its emitted steps and its annotations, in the order of the trail."""
    commit = sighting.where.commit
    facts: list[tuple[float, Fact]] = []
    at = -1.0
    for one in sighting.emitted:
        lane = one.step.new if one.step else None
        at = max(at, place_of(one.package, one.moment, lane, resolver.rules.names) if lane else -1.0)
        facts.append((at, TransitionFact(one, commit)))
    facts += [(one.place, AnnotationFact(one, commit)) for one in annotate(resolver, sighting)]
    return [fact for _, fact in sorted(facts, key=lambda placed: placed[0])]


def in_order(facts: list[Fact]) -> list[Fact]:
    """By feature, then by work package; what is said of one stays in its order."""
    return sorted(facts, key=place)


def feature_fact(resolver: Resolver, feature: str, info: FeatureInfo | None, where: Occurrence) -> list[Fact]:
    """Resolve the first sight of a feature with a work package in a lane."""
    state, name = resolver.state, resolver.state.canonical(feature)
    kind = state.features.get(name)
    if not where.is_kept and kind != "told":
        state.features[name] = "elsewhere"  # for this replay: what is in scope is not the feature's first sight
        return []
    if kind is not None and not (kind == "baseline" and where.provenance is Provenance.HISTORY):
        _count(state, name, kind)
        return []
    state.know_feature(name, "told" if where.is_ours else "elsewhere")
    state.met.add(name)
    if info is None or not where.is_ours:
        return []
    return [FeatureFact(feature, info, where.moment, where.commit)]


def errors(resolver: Resolver, broken: Iterable[BrokenContent], where: Occurrence) -> list[Fact]:
    """Resolve contents that cannot be read, each once."""
    state = resolver.state
    found: list[Fact] = []
    for one in broken:
        kind = state.broken.get(one.content)
        if kind is not None and not (kind == "baseline" and where.provenance is Provenance.HISTORY):
            _count(state, one.content, kind)
            continue
        state.met.add(one.content)
        if not where.is_kept:
            state.broken[one.content] = "elsewhere"  # for this replay
            continue
        state.know_broken(one, "told" if where.is_ours else "elsewhere")
        if where.is_ours and not _said_manually(state, one):
            found.append(ErrorFact(one, where.moment, where.commit))
    return found


def record_baseline(
    state: LedgerState, packages: Iterable[WorkPackage], broken: Iterable[BrokenContent], commit: str | None
) -> int:
    """Record what was there before kittywatch came, without emitting it (rule B1); counts what is new."""
    count = 0
    there: dict[str, list[WorkPackage]] = {}
    for package in packages:
        if package.lane is None:
            continue
        key = state.key(*package.key)
        feature = state.canonical(package.feature)
        there.setdefault(feature, []).append(package)
        if see_silently(state.pages.setdefault(key, {}), package, "baseline"):
            state.changed_pages.add(key)
        if feature not in state.features:
            state.know_feature(feature, "baseline")
        if not state.history(key).entries and not package.stated:
            agent = package.assigned if package.scheme.category(package.lane) != "backlog" else None
            entry = Entry("known", "baseline", package.lane, first=commit, agent=agent)
            entry.phase = "implementation" if agent else None
            state.add(key, entry)
            count += 1
        elif package.stated:
            count += not state.history(key).entries
            record_stated(state, key, package, commit)
    for feature, found in there.items():
        done = [one for one in found if one.scheme.is_done(one.lane)]
        if done and all(one.scheme.is_over(one.lane) for one in found):
            state.seen(state.page_of(feature))[COMPLETE] = "baseline"
    for one in broken:
        if one.content not in state.broken:
            state.know_broken(one, "baseline")
    return count


def record_earlier(resolver: Resolver, changes: CommitChanges) -> None:
    """Record the steps of a commit from before the baseline, so that a copy of it is known, and its loss is seen."""
    state = resolver.state
    where = Occurrence(changes.moment, "", changes.commit, provenance=Provenance.HISTORY)
    for change in changes.packages:
        key = state.key(*change.package.key)
        history = state.history(key)
        record_stated(state, key, change.package, changes.commit)
        steps = steps_between(change.base, change.package, resolver.rules.names)
        for step, used in one_by_one(steps, history, []):
            moment = resolver.moment(history, step, where, used)
            entry = resolver.known(key, step, moment, where, used)
            if entry is None:
                entry = state.add(key, Entry("step", "baseline", step.new, step.previous, first=changes.commit))
                entry.unrecorded = step.moment is None
                entry.identities.add(identity(moment, step.new))
            used.append(entry)
            state.link(key, entry, changes.commit, step.new)


def _said_manually(state: LedgerState, broken: BrokenContent) -> bool:
    """Whether somebody logged the error in the same words, which then is used up."""
    key, name = state.key(broken.feature, broken.wp_id or ""), manual_key(("error", str(broken.problem)))
    if name not in state.pages.get(key, {}):
        return False
    del state.seen(key)[name]
    return True


def _count(state: LedgerState, name: str, kind: str | None) -> None:
    """What was emitted before is counted where it is met first."""
    if kind == "told" and name not in state.met:
        state.already_emitted += 1
    state.met.add(name)


def emitted_facts(emitted: Iterable[EmittedStep], commit: str | None) -> list[Fact]:
    """The facts of some steps of a commit, or of an edit."""
    return [TransitionFact(one, commit) for one in emitted]
