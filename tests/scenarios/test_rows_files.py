"""Rows 33 to 35 and 49 of the contract's table: files as people, editors and tools write them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from tests.scenarios.table import D_R, P_D, R_D, check, scenario
from tests.scenarios.world import World
from tests.waiting import until

NESTED = "```markdown\n# How it looks\n\n```python\nprint()\n```\n\nAnd so on.\n```\n"  # leaves a fence open
TRAIL = [("2026-01-01T10:00:00Z", "doing"), ("2026-01-01T11:00:00Z", "for_review")]


@scenario("33", every=[P_D])
def test_33_invalid_lane(world: World) -> None:
    world.write("foo")
    world.commit("foo")
    world.settle()
    world.move("doing")
    check(world, [P_D])
    (error,) = [event["payload"] for event in world.events("ErrorLogged")]
    assert error["error_type"] == "validation"
    assert "foo" not in error["error_message"]
    assert "WP01-work.md:4" in error["error_message"]


@scenario("34", W=[P_D], elsewhere=[])
def test_34_half_written_file(world: World) -> None:
    """R5: a file that is broken while it is being written is no error."""
    world.watch_patiently()
    world.write("doing")
    whole = world.path().read_bytes()
    with world.path().open("wb") as file:
        for end in range(0, len(whole), 20):
            file.write(whole[end : end + 20])
            file.flush()
            world.path().stat()
    world.path().write_bytes(whole[:30])  # closed, and broken, for less than it takes to settle
    world.path().write_bytes(whole)
    check(world, [P_D])
    assert world.events("ErrorLogged") == []


def _by_rename(path: Path, data: bytes) -> None:
    temporary = path.with_name(".#save")
    temporary.write_bytes(data)
    temporary.replace(path)


def _by_truncating(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate()
        file.write(data)


def _by_swapping(path: Path, data: bytes) -> None:
    """As vim with backups: the old file moves away, a new one is written, the old one is removed."""
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    path.write_bytes(data)
    backup.unlink()


def _from_elsewhere(path: Path, data: bytes) -> None:
    """From a directory that nobody watches."""
    temporary = path.parents[4] / "outside.tmp"
    temporary.write_bytes(data)
    temporary.replace(path)


SAVES = {"rename": _by_rename, "truncate": _by_truncating, "swap": _by_swapping, "elsewhere": _from_elsewhere}


@scenario("35", W=[P_D, D_R, R_D], variants=SAVES, elsewhere=[])
def test_35_editors(world: World, save: Callable[[Path, bytes], None]) -> None:
    for before, after in pairwise(("planned", "doing", "for_review", "done")):
        save(world.path(), world.path().read_bytes().replace(before.encode(), after.encode()))
        until(lambda after=after: world.steps() and world.steps()[-1].endswith(after), what=after)  # type: ignore[misc]
    world.settle()
    assert world.events("ErrorLogged") == []


@scenario("49", every=[P_D, D_R])
def test_49_fences_nested_wrongly(world: World) -> None:
    world.write("for_review", trail=TRAIL, body=NESTED)
    world.commit("by a tool")
    check(world, [P_D, D_R])
    assert [event["timestamp"] for event in world.events()] == [time for time, _ in TRAIL]
    assert {event["payload"]["changed_by"] for event in world.events()} == {"agent"}
