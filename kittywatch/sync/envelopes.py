"""Queued events as they leave: with the login's team and the project's identity, under the id they have."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence

import msgspec

from kittywatch.store.aliases import OutgoingAlias
from kittywatch.store.delivery import Outgoing
from kittywatch.store.renames import OutgoingRename

MAX_EVENTS = 1000
MAX_BYTES = 4 << 20  # of JSON in one batch; a single event may be larger, and then goes alone


def sent_form(event: Outgoing, team_slug: str) -> bytes:
    """The JSON that is sent for an event. What it lacked when it was queued is filled in; its id is left alone."""
    fields = msgspec.json.decode(event.data)
    if not isinstance(fields, dict):
        return event.data.encode()  # another program queued it; the server says what is wrong with it
    fields["team_slug"] = team_slug
    if fields.get("project_uuid") is None:
        fields["project_uuid"] = event.project_uuid
    if fields.get("project_slug") is None:
        fields["project_slug"] = event.project_slug
    return msgspec.json.encode(fields)


def batches(events: Iterable[Outgoing], forms: dict[int, bytes]) -> list[list[Outgoing]]:
    """The same events in order, in as few batches as MAX_BYTES allows; `forms` has the JSON of each by its row."""
    parts: list[list[Outgoing]] = []
    room = 0
    for event in events:
        size = len(forms[event.key]) + 1
        if not parts or size > room:
            parts.append([])
            room = MAX_BYTES
        parts[-1].append(event)
        room -= size
    return parts


def alias_form(one: OutgoingAlias) -> bytes:
    """The JSON that is sent for an alias."""
    return msgspec.json.encode({"alias": one.alias, "event_id": one.event_id})


def rename_form(one: OutgoingRename) -> bytes:
    """The JSON that is sent for a rename, or for the move of a work package."""
    names = {"feature_slug": one.feature, "renamed_to": one.renamed_to}
    which = {} if one.wp_id is None else {"wp_id": one.wp_id}
    return msgspec.json.encode({"project_uuid": one.project_uuid, **names, **which, "commit": one.commit})


def body(
    forms: Sequence[bytes], aliases: Sequence[OutgoingAlias] = (), renames: Sequence[OutgoingRename] = ()
) -> bytes:
    """The request of a batch, gzipped; only one that has aliases or renames says anything of them."""
    beside = b',"aliases":[' + b",".join(map(alias_form, aliases)) + b"]" if aliases else b""
    beside += b',"renames":[' + b",".join(map(rename_form, renames)) + b"]" if renames else b""
    return gzip.compress(b'{"events":[' + b",".join(forms) + b"]" + beside + b"}", compresslevel=5, mtime=0)
