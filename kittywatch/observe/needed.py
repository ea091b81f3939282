"""Which entries of the ledger are needed to say whether a feature is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from kittywatch.derive.changes import FeatureGraph, Key
from kittywatch.store.ledger import Ledger

_FEW = 100  # work packages whose entries are read without asking whether they matter
_PROBED = 4


def needed(ledger: Ledger, feature: str, graph: FeatureGraph, renames: Mapping[str, str]) -> set[Key]:
    """The work packages of a feature that its completeness, or a manual step, asks the ledger for.

    Of many, some of those that are not over here are looked at first: where one of them was never over anywhere, the
    feature is not complete, whatever became of the others, and their entries are left alone.
    """
    home = graph.home or feature
    kept = renames.get(home, home)
    if len(graph.dependencies) > _FEW:
        probed = {(kept, wp_id) for wp_id in islice(_left(graph), _PROBED)}
        known = ledger.read(probed).histories if probed else {}
        for key in probed:
            entries = known[key].entries if key in known else []
            if not any(graph.scheme(key[1]).is_over(entry.lane) for entry in entries):
                return probed | {one for one in ledger.resolving(kept) if one[1] in graph.dependencies}
    return {(kept, wp_id) for wp_id in graph.dependencies}


def _left(graph: FeatureGraph) -> Iterator[str]:
    """The work packages of a feature that are not over here."""
    for wp_id, lane in graph.lanes.items():
        if lane is not None and wp_id not in graph.others and not graph.scheme(wp_id).is_over(lane):
            yield wp_id
