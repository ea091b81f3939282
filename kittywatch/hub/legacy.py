"""The field's older envelope (spec-kitty-cli 2.1), turned into ours as it comes in.

It lacks build_id, correlation_id and schema_version; it carries git_branch, head_commit_sha and repo_slug; its
transitions say from_lane, to_lane, actor and policy_metadata, with the lanes of whichever scheme. The original stays
beside the converted event, so what has no place in ours is not lost. Converting is a function of the original, so
that the same event again is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from kittywatch.events import InvalidEventError
from kittywatch.events.payloads import is_old_id
from kittywatch.hub.columns import category_of
from kittywatch.workpackages.schemes import SPEC_KITTY_2, scheme_of
from kittywatch.workpackages.stated import GENESIS

_OLDER = {"build_id", "correlation_id", "schema_version"}
_EXTRA = {"git_branch", "head_commit_sha", "repo_slug", "data_tier"}
_FEATURE_NUMBER = re.compile(r"[0-9]{3}")
_WP_EVENTS = {"WPStatusChanged", "WPAssigned", "HistoryAdded", "DependencyResolved"}


def is_legacy(event: Mapping[str, Any]) -> bool:
    """Whether this is the older envelope: it lacks what ours always has."""
    return not _OLDER & event.keys() and isinstance(event.get("payload"), dict)


def convert(event: Mapping[str, Any]) -> bytes:
    """The event in our form, as JSON, still to be validated; raises InvalidEventError for a lane we cannot place."""
    payload = dict(event["payload"])
    kind = event.get("event_type")
    if kind == "WPStatusChanged":
        payload = _status_change(payload)
    elif kind == "FeatureCreated":
        payload.setdefault("created_at", event.get("timestamp"))
        number = payload.get("feature_number")
        payload["feature_number"] = number if _FEATURE_NUMBER.fullmatch(str(number)) else None
    elif kind == "FeatureCompleted":
        payload.setdefault("completed_at", event.get("timestamp"))
        payload.setdefault("total_duration", None)
    elif kind == "ErrorLogged":
        for name in ("wp_id", "stack_trace", "agent_id", "feature_slug"):
            payload.setdefault(name, None)
    elif kind == "WPCreated":
        payload["dependencies"] = list(dict.fromkeys(payload.get("dependencies") or []))
    elif kind == "WPAssigned":
        payload.setdefault("retry_count", 0)
    elif kind == "HistoryAdded":
        payload["author"] = payload.get("author") or "user"
    if kind in _WP_EVENTS:
        payload.setdefault("feature_slug", None)
    envelope = {name: value for name, value in event.items() if name not in _EXTRA}
    envelope |= {
        "payload": payload,
        "build_id": str(event.get("repo_slug") or event.get("project_slug") or "unknown"),
        "correlation_id": event.get("causation_id") or event.get("event_id"),
        "schema_version": "1.1.0" if "new_category" in payload or _has_newer_ids(payload) else "1.0.0",
    }
    envelope.setdefault("causation_id", None)
    envelope.setdefault("project_slug", None)
    return msgspec.json.encode(envelope)


def _has_newer_ids(payload: dict[str, Any]) -> bool:
    ids = [payload[name] for name in ("wp_id", "dependency_wp_id") if name in payload]
    needs = payload.get("dependencies")
    return not all(map(is_old_id, [*ids, *(needs if isinstance(needs, list) else ())]))


def _status_change(payload: dict[str, Any]) -> dict[str, Any]:
    previous, new = _lane(payload, "from_lane"), _lane(payload, "to_lane")
    scheme = scheme_of(previous, new)
    stated = (
        {} if scheme is SPEC_KITTY_2 else {"previous_category": category_of(previous), "new_category": category_of(new)}
    )
    return {
        "wp_id": payload.get("wp_id"),
        "previous_status": previous,
        "new_status": new,
        "changed_by": payload.get("actor") or "user",
        "feature_slug": payload.get("feature_slug"),
        **stated,
    }


def _lane(payload: dict[str, Any], name: str) -> str:
    lane = payload.get(name)
    if not isinstance(lane, str) or (scheme_of(lane) is None and lane != GENESIS):
        raise InvalidEventError("WPStatusChanged", f"payload.{name}", "Not one of the known lanes")
    return lane
