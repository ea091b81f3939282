"""Lane transitions in the form of spec-kitty-events, the field's library, for whoever reads events with that.

Rules of this module:
- The form is its `StatusTransitionPayload`, as release 11 takes it. Other events have none here.
- What that form requires and an event doesn't say is `unknown`, or the least that holds; see `status_transition`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kittywatch.workpackages.categories import guessed_category
from kittywatch.workpackages.schemes import KNOWN, SPEC_KITTY_3

FORMAT = "spec-kitty-events"
UNKNOWN = "unknown"
_LANES = {name: name for name in SPEC_KITTY_3.lanes} | {"genesis": "genesis", "doing": "in_progress"}
_OF_CATEGORIES = {
    "backlog": "planned",
    "active": "in_progress",
    "review": "for_review",
    "done": "done",
    "blocked": "blocked",
    "canceled": "canceled",
}
_MODES = ("worktree", "direct_repo")
_WITH_EVIDENCE = ("approved", "done")


def as_status_transition(data: str) -> str | None:
    """One event's JSON as one line of JSON in the library's form; None for what is no lane transition."""
    event = msgspec.json.decode(data)
    if event["event_type"] != "WPStatusChanged":
        return None
    return msgspec.json.encode(status_transition(event)).decode()


def status_transition(event: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `StatusTransitionPayload` for a `WPStatusChanged`, as its JSON has it.

    A lane that the library doesn't have goes by its category, and so does one that means something else in its source.
    Without an execution mode it is `direct_repo`; a transition that was forced has a reason, and one to approved or
    done evidence, which say `unknown` where the event shares none.
    """
    payload = event["payload"]
    lane = _lane(payload["new_status"], payload.get("new_category"))
    forced = bool(payload.get("force"))
    mode = payload.get("execution_mode")
    fields: dict[str, Any] = {
        "mission_slug": payload.get("feature_slug") or UNKNOWN,
        "wp_id": payload["wp_id"],
        "from_lane": _lane(payload["previous_status"], payload.get("previous_category")),
        "to_lane": lane,
        "actor": _text(payload["changed_by"]),
        "force": forced,
        "execution_mode": mode if mode in _MODES else "direct_repo",
    }
    if payload.get("reason") or forced:
        fields["reason"] = _text(payload.get("reason"))
    if payload.get("review_ref"):
        fields["review_ref"] = payload["review_ref"]
    if (evidence := _evidence(event, lane)) is not None:
        fields["evidence"] = evidence
    return fields


def _lane(name: str, category: str | None) -> str:
    if name in _LANES and (category is None or KNOWN.get(name, category) == category):
        return _LANES[name]
    return _OF_CATEGORIES[category if category in _OF_CATEGORIES else guessed_category(name)]


def _evidence(event: dict[str, Any], lane: str) -> dict[str, Any] | None:
    """What an event shares of its evidence, completed to what the library requires; None where neither is."""
    payload = event["payload"]
    shared = payload.get("evidence")
    shared = shared if isinstance(shared, dict) else {}
    if not shared and lane not in _WITH_EVIDENCE:
        return None
    here = {"repo": _text(event.get("project_slug")), "branch": UNKNOWN, "commit": _text(event.get("commit"))}
    repos = [
        {name: _text(one.get(name)) for name in here} | _texts(one, "files_touched")
        for one in _objects(shared, "repos")
    ]
    ran = [
        {name: _text(one.get(name)) for name in ("command", "result")} | _optional(one, "summary")
        for one in _objects(shared, "verification")
    ]
    review = shared.get("review")
    review = review if isinstance(review, dict) else {}
    judged = {"reviewer": _text(review.get("reviewer")), "verdict": _text(review.get("verdict"))}
    return {"repos": repos or [here], "verification": ran, "review": judged | _optional(review, "reference")}


def _objects(shared: dict[str, Any], name: str) -> list[dict[str, Any]]:
    some = shared.get(name)
    return [one for one in some if isinstance(one, dict)] if isinstance(some, list) else []


def _texts(one: dict[str, Any], name: str) -> dict[str, list[str]]:
    some = one.get(name)
    return {name: [text for text in some if isinstance(text, str)]} if isinstance(some, list) else {}


def _optional(one: dict[str, Any], name: str) -> dict[str, str]:
    return {name: one[name]} if isinstance(one.get(name), str) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.strip() else UNKNOWN
