"""Events of version 1.1.0 for servers that know 1.0.0 alone: in that version's form, under the id that they have.

Rules of this module:
- Pure; whether a server names `events-1.1` is for the caller to find out (features.py).
- Lanes go by the table of four lanes, `lane_now` in place of the new one where it is given. What 1.0.0 lacks is left
  out.
- A transition that leads nowhere among the four lanes isn't sent, and counts as delivered.
- An event whose ids 1.0.0 can't hold is kept.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from kittywatch.events.payloads import is_old_id
from kittywatch.store.delivery import Outgoing
from kittywatch.sync.envelopes import sent_form
from kittywatch.workpackages.categories import guessed_category
from kittywatch.workpackages.schemes import FOUR_LANES, KNOWN

NEWER = "1.1.0"
_MARK = f'"{NEWER}"'
_OF_CATEGORIES = {
    "backlog": "planned",
    "active": "doing",
    "blocked": "doing",
    "review": "for_review",
    "done": "done",
    "canceled": "done",
}
_FIELDS = {
    "WPStatusChanged": ("wp_id", "previous_status", "new_status", "changed_by", "feature_slug"),
    "WPAssigned": ("wp_id", "agent_id", "phase", "retry_count", "feature_slug"),
}
_BESIDE = ("source", "observer", "commit")


class NoForm(Enum):
    """Why an event isn't sent: in the older form it says nothing, or that form can't hold it."""

    UNSAID = "unsaid"
    KEPT = "kept"


UNSAID: Literal[NoForm.UNSAID] = NoForm.UNSAID
KEPT: Literal[NoForm.KEPT] = NoForm.KEPT


def is_newer(event: Outgoing) -> bool:
    """Whether an event is of version 1.1.0."""
    if _MARK not in event.data:
        return False
    fields = _object(event.data)
    return fields.get("schema_version") == NEWER and isinstance(fields.get("payload"), dict)


def is_kept(event: Outgoing) -> bool:
    """Whether an event isn't sent to a server that knows version 1.0.0 alone, as that can't hold its ids."""
    return is_newer(event) and older_form(event) is KEPT


def form_for(event: Outgoing, team_slug: str, *, takes_newer: bool) -> bytes | NoForm:
    """What is sent of an event to a server that takes version 1.1.0, or doesn't; why nothing is."""
    form = event.data if takes_newer or not is_newer(event) else older_form(event)
    return form if isinstance(form, NoForm) else sent_form(replace(event, data=form), team_slug)


def older_form(event: Outgoing) -> str | NoForm:
    """The JSON of an event of version 1.1.0 in the form of 1.0.0."""
    fields = _object(event.data)
    payload = _older_payload(str(fields.get("event_type")), fields["payload"])
    if isinstance(payload, NoForm):
        return payload
    kept = {name: value for name, value in fields.items() if name not in _BESIDE}
    return msgspec.json.encode(kept | {"payload": payload, "schema_version": "1.0.0"}).decode()


def _older_payload(event_type: str, payload: dict[str, Any]) -> dict[str, Any] | NoForm:
    ids = [payload[name] for name in ("wp_id", "dependency_wp_id") if name in payload]
    ids += payload.get("dependencies") or []
    # The work package of an ErrorLogged may be anything in either version.
    if event_type != "ErrorLogged" and not all(map(is_old_id, ids)):
        return KEPT
    known = _FIELDS.get(event_type, tuple(payload))
    older = {name: payload[name] for name in known if name in payload}
    if event_type != "WPStatusChanged":
        return older
    older["previous_status"] = _four(payload.get("previous_status"), payload.get("previous_category"))
    older["new_status"] = _four(payload.get("new_status"), payload.get("new_category"))
    if (now := payload.get("lane_now")) is not None:
        stated = {payload.get(f"{one}_status"): payload.get(f"{one}_category") for one in ("previous", "new")}
        older["new_status"] = _four(now, stated.get(now))
    return UNSAID if older["previous_status"] == older["new_status"] else older


def _four(lane: Any, category: Any) -> str:
    """One of the four lanes: by its name where that is spec-kitty's and means what it says there, else by its meaning.

    Without a category a lane means what its words say.
    """
    if lane in FOUR_LANES and category in (None, KNOWN[lane]):
        return FOUR_LANES[lane]
    return _OF_CATEGORIES.get(category) or _OF_CATEGORIES[guessed_category(str(lane))]


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
