"""The names of views in the store."""

from __future__ import annotations

from kittywatch.store.views import DETACHED


def ref_name(ref: str | None) -> str:
    """The name of a branch's view, DETACHED for a HEAD that is on none."""
    return ref if ref is not None else DETACHED
