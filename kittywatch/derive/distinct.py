"""The steps of one difference are entries of their own: what one of them is by its record, no other one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kittywatch.derive.ledger import Entry, PackageHistory, identity
from kittywatch.derive.steps import Step


def one_by_one(steps: Sequence[Step], history: PackageHistory, used: list[Entry]) -> Iterator[tuple[Step, list[Entry]]]:
    """Each step with the entries that it isn't; whoever resolves it adds the one that it is.

    It isn't what the steps before it are, which `used` gets, nor what another step is by its record's identity.
    """
    names = [identity(step.moment, step.new) if step.moment is not None else "" for step in steps]
    for step, name in zip(steps, names, strict=True):
        others = set(names) - {name}
        named = [one for one in history.steps() if others & one.identities and name not in one.identities]
        taken = [*used, *(one for one in named if one not in used)]
        count = len(taken)
        yield step, taken
        used += taken[count:]
