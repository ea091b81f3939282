"""The meaning of a server's answer to a batch: a table of statuses, and the results one by one. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeAlias, TypeVar

from msgspec import Struct

REFUSED_WHOLE = "the server refused it without saying why"
_LONGEST_REASON = 500
_LONGEST_WAIT = 86400.0
_Rider = TypeVar("_Rider", bound=Hashable)

Rename: TypeAlias = tuple[str, ...]  # project, feature, the name that it has now; of a move also id and commit
Fate: TypeAlias = Literal["delivered", "duplicate", "waiting", "refused", "missing"]
_FATES: dict[str, Fate] = {
    "success": "delivered",
    "duplicate": "duplicate",
    "queued": "waiting",
    "pending": "waiting",
    "error": "refused",
    "rejected": "refused",
}


class Taken(Struct, frozen=True):
    """The fates of some events, by id; those of `reasons` were refused. One that is missing was not delivered.

    `others_again`: the whole batch was refused for the sake of those, and the others are to be sent without them.
    `aliases` and `renames` have the fates of those, and why for those refused; again, one that is missing was not
    delivered.
    """

    fates: dict[str, Fate]
    reasons: dict[str, str]
    others_again: bool = False
    aliases: dict[str, tuple[Fate, str]] = {}
    renames: dict[Rename, tuple[Fate, str]] = {}


class Halve(Struct, frozen=True):
    """Too much at once, or something in it that the server can't take: send less, to find the culprit."""

    reason: str


class Unauthorized(Struct, frozen=True):
    """The access token isn't taken: refresh it once."""


class Forbidden(Struct, frozen=True):
    """This project or team is not ours."""

    reason: str


class Later(Struct, frozen=True):
    """Not now; `wait` seconds from now where the server says so."""

    reason: str
    wait: float | None = None


class Strange(Struct, frozen=True):
    """Not an answer of the protocol; asking again right away wouldn't change that."""

    reason: str


Verdict: TypeAlias = Taken | Halve | Unauthorized | Forbidden | Later | Strange


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    event_ids: Collection[str],
    *,
    now: float,
    aliases: Collection[str] = (),
    renames: Collection[Rename] = (),
) -> Verdict:
    """Classify an answer to a batch; `now` (seconds since 1970) is for a Retry-After that is a date."""
    if status == 200:
        return _taken(_value(body), event_ids, aliases, renames)
    if status in (400, 413, 422):
        return _blamed(status, _value(body), event_ids)
    if status == 401:
        return Unauthorized()
    if status == 403:
        return Forbidden(_said(_value(body)) or "the server says that it is not yours")
    if status in (408, 425, 429) or status >= 500:
        return Later(f"the server is busy (status {status})", retry_after(headers, now=now))
    if 300 <= status < 400:
        return Strange(f"the server sends elsewhere (status {status}), which is not followed")
    return Strange(f"the server answers with status {status}, which is not the protocol's")


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait by the Retry-After of an answer, a number or a date; None where it has none that makes sense."""
    stated = headers.get("retry-after", "").strip()
    if stated.isascii() and stated.isdigit():
        return min(float(stated), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(stated)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    base = _date_of(headers) or now
    return min(max(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - base, 0.0), _LONGEST_WAIT)


def batch_interval(headers: Mapping[str, str]) -> float | None:
    """The seconds between batches that an answer asks for, None where it doesn't."""
    try:
        seconds = float(headers.get("x-ratelimit-batch-interval", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 3600 else None


def _date_of(headers: Mapping[str, str]) -> float | None:
    """The server's own time, against which its dates are meant; its clock may differ from ours."""
    try:
        moment: datetime = parsedate_to_datetime(headers.get("date", ""))
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def result_of(status: object, message: object) -> tuple[Fate | None, str]:
    """The fate that a result's status stands for, None for an unknown one; and why, for those refused."""
    fate = _FATES.get(status) if isinstance(status, str) else None
    said = message.strip() if isinstance(message, str) else ""
    return fate, (said or REFUSED_WHOLE)[:_LONGEST_REASON]


def _taken(value: Any, event_ids: Collection[str], aliases: Collection[str], renames: Collection[Rename]) -> Verdict:
    results = value.get("results") if isinstance(value, dict) else None
    if not isinstance(results, list):
        return Later("the server's answer is not one of the protocol")
    sent = set(event_ids)
    fates: dict[str, Fate] = {}
    reasons: dict[str, str] = {}
    for result in results:
        event_id = result.get("event_id") if isinstance(result, dict) else None
        if not isinstance(event_id, str) or event_id not in sent:
            continue  # not one of ours: what isn't answered isn't delivered
        fate, said = result_of(result.get("status"), result.get("error_message"))
        fates[event_id] = fate or "waiting"
        if fate == "refused":
            reasons[event_id] = said
        else:
            reasons.pop(event_id, None)
    return Taken(
        fates,
        reasons,
        aliases=_fates(value.get("aliases"), aliases, _alias_of),
        renames=_fates(value.get("renames"), renames, _rename_of),
    )


def _fates(
    results: Any, sent: Collection[_Rider], named: Callable[[dict[str, Any]], _Rider | None]
) -> dict[_Rider, tuple[Fate, str]]:
    """What was said of aliases or renames that were sent, with the reason of those refused; `named` says of which."""
    fates: dict[_Rider, tuple[Fate, str]] = {}
    ours = set(sent)
    for result in results if isinstance(results, list) else ():
        name = named(result) if isinstance(result, dict) else None
        if name is not None and name in ours:
            fate, said = result_of(result.get("status"), result.get("error_message"))
            fates[name] = (fate or "waiting", said if fate == "refused" else "")
    return fates


def _alias_of(result: dict[str, Any]) -> str | None:
    alias = result.get("alias")
    return alias if isinstance(alias, str) else None


def _rename_of(result: dict[str, Any]) -> Rename | None:
    project, feature, renamed_to = (result.get(name) for name in ("project_uuid", "feature_slug", "renamed_to"))
    if not (isinstance(project, str) and isinstance(feature, str) and isinstance(renamed_to, str)):
        return None
    wp_id, commit = result.get("wp_id"), result.get("commit")
    if wp_id is None:
        return project, feature, renamed_to
    return (project, feature, renamed_to, str(wp_id), str(commit or ""))


def _blamed(status: int, value: Any, event_ids: Collection[str]) -> Verdict:
    """A whole batch was refused: the events that the answer names, if it names any of ours."""
    reasons = {} if status == 413 else _details(value, set(event_ids))
    if reasons:
        return Taken(dict.fromkeys(reasons, "refused"), reasons, others_again=True)
    return Halve(_said(value) or (f"{REFUSED_WHOLE} (status {status})" if status != 413 else "it is too big"))


def _details(value: Any, sent: set[str]) -> dict[str, str]:
    """The events that an error's details name, with what they say; as a list, an object, or either in a string."""
    details = value.get("details") if isinstance(value, dict) else None
    if isinstance(details, str):
        try:
            details = json.loads(details)
        except (ValueError, RecursionError):
            return {}
    pairs: list[tuple[Any, Any]] = []
    if isinstance(details, dict):
        pairs = list(details.items())
    elif isinstance(details, list):
        named = [one for one in details if isinstance(one, dict)]
        pairs = [
            (one.get("event_id"), one.get("error_message") or one.get("error") or one.get("reason")) for one in named
        ]
    return {
        event_id: result_of("rejected", said)[1]
        for event_id, said in pairs
        if isinstance(event_id, str) and event_id in sent
    }


def _said(value: Any) -> str:
    """The text of an error's answer, for people."""
    fields = value if isinstance(value, dict) else {}
    parts = [fields.get(name) for name in ("error", "details")]
    return " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())[:_LONGEST_REASON]


def _value(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
