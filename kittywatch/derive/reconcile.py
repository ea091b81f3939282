"""Where the ledger ends in another lane than a commit shows (rule B3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kittywatch.derive.changes import FeatureGraph, Key
from kittywatch.derive.commits import emitted_facts
from kittywatch.derive.consequences import ChangeContext, with_consequences
from kittywatch.derive.facts import EmittedStep, Fact
from kittywatch.derive.ledger import RECONCILED, TICK, Entry
from kittywatch.derive.resolve import Resolver
from kittywatch.derive.steps import DEFAULT_AGENT, Step
from kittywatch.workpackages.reader import WorkPackage


def differences(
    resolver: Resolver,
    packages: Mapping[Key, WorkPackage],
    graphs: Mapping[str, FeatureGraph],
    *,
    tip: str,
    moment: datetime,
) -> list[Fact]:
    """The steps from where the ledger ends to where the commit `tip` shows the packages; adds them to the state."""
    state, graph, rules = resolver.state, resolver.graph, resolver.rules
    facts: list[Fact] = []
    for key, package in sorted(packages.items()):
        last = state.history(key).last_lane(graph)
        if last is None or package.lane is None or last == package.lane:
            continue
        step, when = Step(last, package.lane, package.agent or DEFAULT_AGENT, None), moment
        while (event_id := rules.identify(package, step, when)) in state.history(key).event_ids():
            when += TICK
        entry = Entry("step", "emitted", step.new, step.previous, event_id, edited_on=tip)
        for other in state.history(key).steps():
            state.link(key, other, tip, RECONCILED)
        state.add(key, entry)
        state.link(key, entry, tip)
        facts += emitted_facts([EmittedStep(package, step, when, entry)], None)
    return with_consequences(state, facts, ChangeContext(graphs=graphs, commits=graph))
