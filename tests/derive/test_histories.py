"""Any history: a replay adds nothing, and another machine finds the same transitions, under these ids or aliases."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.derive.histories import History
from tests.derive.world import World, elsewhere

BLOCK = 100


@pytest.mark.parametrize("block", range(20))
def test_random_histories(block: int) -> None:
    """The same in every run. `python -m tests.derive.test_histories FIRST COUNT` runs others."""
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        check(History(seed))


def check(history: History) -> None:
    world, story = history.world, "\n".join(history.log)
    before = world.steps
    for branch in history.branches:
        world.replay(branch)
    assert world.steps == before, story
    machine = elsewhere(world)
    machine.replay("main")
    names = shown_as([world, machine])
    ours, theirs = ([names.get(one, one) for one in one_of.step_ids] for one_of in (world, machine))
    assert len(set(ours)) == len(ours), f"what one machine told is taken for one\n{story}"
    assert set(theirs) <= set(ours), f"another machine tells more\n{story}"
    assert len(theirs) <= len(ours), f"another machine tells what got lost\n{story}"


def shown_as(machines: Iterable[World]) -> dict[str, str]:
    """The id under which a server shows a transition that has an alias; what a machine told is none of its aliases."""
    leads: dict[str, str] = {}

    def last(one: str) -> str:
        while one in leads:
            one = leads[one]
        return one

    for machine in machines:
        for alias, event_id in machine.aliases.items():
            if alias not in machine.step_ids and last(alias) != last(event_id):
                leads[last(alias)] = last(event_id)
    return {one: last(one) for one in leads}


if __name__ == "__main__":
    import sys

    first, count = map(int, sys.argv[1:])
    for seed in range(first, first + count):
        check(History(seed))
    print(f"{count} histories")
