"""Values don't change: what one observer was handed, another one may hold."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest
from msgspec import Struct

import kittywatch.derive
from kittywatch.derive.annotations import Sighting
from kittywatch.derive.ledger import Entry, LedgerState, PendingEdit

STATE = {Entry, LedgerState, PendingEdit, Sighting}
"""What is written while an observation is resolved."""


def _structs() -> set[type[Struct]]:
    modules = [import_module(f"kittywatch.derive.{one.name}") for one in iter_modules(kittywatch.derive.__path__)]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    return {one for one in found if issubclass(one, Struct) and one.__module__.startswith("kittywatch.derive.")}


@pytest.mark.parametrize("struct", sorted(_structs() - STATE, key=str))
def test_a_value_is_frozen(struct: type[Struct]) -> None:
    assert struct.__struct_config__.frozen


def test_an_entry_is_itself_alone() -> None:
    """Two entries that say the same are two transitions: a pending edit has one of them."""
    one, other = Entry("step", "emitted", "doing"), Entry("step", "emitted", "doing")
    assert one != other
    assert {one, other} == {one, other}
    assert len({one, other}) == 2
