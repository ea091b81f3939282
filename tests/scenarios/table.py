"""The contract's table of scenarios: each row a story, with what is to be told in each mode as data.

A row's number, its modes and its transitions stand in the decorator, what happens in the function below it:

    @scenario("5", W=[P_D, D_P], H=[], WH=[P_D, D_P])
    def test_05_edit_and_restore(world: World) -> None: ...

After each story the transitions told are just those, a replay of the branch adds none, and neither does what another
machine tells by a replay of what is committed (rule O11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.scenarios.world import Clone, World, shown
from tests.waiting import until

P_D, D_R, R_D, P_R = "planned>doing", "doing>for_review", "for_review>done", "planned>for_review"
D_P, D_DONE = "doing>planned", "doing>done"

Steps = Sequence[str] | Mapping[str, Sequence[str]]
"""Transitions of WP01, or of several work packages by their ids; `*` in one stands for anything."""
Story = Callable[..., None]
MakeWorld = Callable[[str], World]

ROWS: set[str] = set()
"""The numbers of the rows that have a test."""


def row(number: str) -> Callable[[Story], Story]:
    """A test of a row whose subject is not what the three modes tell: many processes, kills, odd repositories."""
    ROWS.add(number)
    return lambda test: test


def scenario(
    number: str,
    *,
    every: Steps | None = None,
    variants: Mapping[str, Any] | None = None,
    replayed: Sequence[str] = (),
    elsewhere: Steps | None = None,
    **modes: Steps,
) -> Callable[[Story], Story]:
    """A row of the table.

    `every` are the transitions in all of the modes W, H and WH, `modes` those of one each. `variants` by name are what
    the story gets as its second argument. `replayed` is what a replay afterwards adds: where kittywatch came late, what
    was there before. `elsewhere` is what another machine tells by a replay, where that is not what is told here: of
    edits, amendments, squashes and others' commits.
    """
    ROWS.add(number)
    wanted = modes if every is None else dict.fromkeys(("W", "H", "WH"), every) | modes
    cases = [
        pytest.param(mode, want, given, id="-".join([mode, *name]))
        for mode, want in wanted.items()
        for name, given in _named(variants)
    ]

    def decorate(story: Story) -> Story:
        def test(make_world: MakeWorld, mode: str, want: Steps, given: tuple[Any, ...]) -> None:
            world = make_world(mode)
            story(world, *given)
            check(world, want)
            world.replay_adds(*replayed)
            converges(world, want if elsewhere is None else elsewhere)

        test.__name__, test.__doc__ = story.__name__, story.__doc__
        tests: Story = pytest.mark.parametrize(("mode", "want", "given"), cases)(test)
        return tests

    return decorate


def _named(variants: Mapping[str, Any] | None) -> list[tuple[tuple[str, ...], tuple[Any, ...]]]:
    return [((), ())] if variants is None else [((name,), (given,)) for name, given in variants.items()]


def check(world: World, want: Steps) -> None:
    """Just these transitions are told, and nothing more comes when the watcher has seen everything."""
    wanted = _by_package(want)
    count = sum(len(steps) for steps in wanted.values())
    until(lambda: len(world.ids()) >= count or not world.watched, what=lambda: _said(world, wanted))
    world.settle()
    assert _as_wanted(world, wanted), _said(world, wanted)


def _by_package(want: Steps) -> Mapping[str, Sequence[str]]:
    return want if isinstance(want, Mapping) else {"WP01": want}


def _as_wanted(machine: Clone, wanted: Mapping[str, Sequence[str]]) -> bool:
    told = machine.all_steps()
    return all(
        len(told.get(wp_id, [])) == len(wanted.get(wp_id, []))
        and all(fnmatchcase(one, glob) for one, glob in zip(told.get(wp_id, []), wanted.get(wp_id, []), strict=True))
        for wp_id in told.keys() | wanted.keys()
    )


def _said(world: World, wanted: Mapping[str, Sequence[str]]) -> str:
    return f"{world.mode}: {dict(wanted)}, told: {world.all_steps()}"


def converges(world: World, want: Steps) -> None:
    """B2, O11: what a replay tells elsewhere; a server that hears that as well shows no transition more."""
    assert list(shown(world)) == world.ids(), f"{world.mode}: one transition is told twice here"
    here, fresh = [world, *world.clones], world.fresh_replay()
    said = f"{world.mode}: elsewhere: {want}, told there: {fresh.all_steps()}"
    assert _as_wanted(fresh, _by_package(want)), said
    before, after = shown(*here), shown(*here, fresh)
    more = {told: event for told, event in after.items() if told not in before}
    assert not more, f"{world.mode}: another machine tells under other ids, and nothing says so: {brief(more)}"


def same_ids(world: World, revision: str = "HEAD", *, history: object = "") -> None:
    """Another machine tells the same by a replay, with the same ids; `history` is printed where it doesn't."""
    here, there = shown(world), shown(world.fresh_replay(revision))
    only_here = {told: event for told, event in here.items() if told not in there}
    only_there = {told: event for told, event in there.items() if told not in here}
    said = f"{world.mode}: only live: {brief(only_here)}, only replayed: {brief(only_there)} {history}"
    assert here.keys() == there.keys(), said


def shown_once(count: int, *machines: Clone) -> None:
    """Of what machines have told, a server shows so many transitions."""
    found = shown(*machines)
    assert len(found) == count, f"shown: {brief(found)}"


def brief(events: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Transitions in words, for whoever reads why a test failed."""
    fields = [(event["payload"], event["timestamp"]) for event in events.values()]
    return [f"{one['wp_id']} {one['previous_status']}>{one['new_status']} at {moment}" for one, moment in fields]
