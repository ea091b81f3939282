"""The aliases and renames that come in beside a batch's events, one by one; nothing here knows SQL."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from kittywatch.events.fields import WP_ID

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_NO_IDS = "An alias is two ids: alias and event_id."
_SAME = "The alias is the event's own id."
_NO_RENAME = (
    "A rename is a project_uuid, the names feature_slug and renamed_to, the id of a commit or null, and the wp_id of a"
    " work package that moved."
)
_NO_DIRECTORY = "No directory, or no feature, can be called so."
_NO_CHANGE = "Both names are the same."
LONGEST_NAME = 255  # of a directory, and PostgreSQL's indexes take no more than 2,700 bytes


@dataclass(frozen=True, kw_only=True)
class Offered:
    """An event id `alias` that is said to be the same transition as the event `event_id`.

    `reason` says why it can't be, whatever is known of the two; the ids are None then where there are none.
    """

    alias: str | None
    event_id: str | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class OfferedRename:
    """A feature's directory that is said to have another name now; `commit` is None where none has it yet.

    With `wp_id` it is that work package of the feature that is said to be in another one now.
    `reason` says why it can't be, empty where it can; the names are None where none can be read.
    """

    project: str | None
    feature: str | None
    renamed_to: str | None
    commit: str | None = None
    wp_id: str | None = None
    reason: str = ""


class _Pair(msgspec.Struct):
    alias: str
    event_id: str


class _Rename(msgspec.Struct):
    project_uuid: uuid.UUID
    feature_slug: str
    renamed_to: str
    commit: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    wp_id: Annotated[str, msgspec.Meta(pattern=WP_ID)] | None = None


_decoder = msgspec.json.Decoder(_Pair)
_rename_decoder = msgspec.json.Decoder(_Rename)


def open_aliases(raw: Sequence[msgspec.Raw]) -> list[Offered]:
    """The members of a batch's `aliases`, in order."""
    return [_open(bytes(one)) for one in raw]


def _open(data: bytes) -> Offered:
    try:
        pair = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Offered(alias=None, event_id=None, reason=_NO_IDS)
    if not _ULID.match(pair.alias) or not _ULID.match(pair.event_id):
        alias = pair.alias if _ULID.match(pair.alias) else None
        return Offered(alias=alias, event_id=None, reason=_NO_IDS)
    return Offered(alias=pair.alias, event_id=pair.event_id, reason=_SAME if pair.alias == pair.event_id else "")


def open_renames(raw: Sequence[msgspec.Raw]) -> list[OfferedRename]:
    """The members of a batch's `renames`, in order."""
    return [_open_rename(bytes(one)) for one in raw]


def _open_rename(data: bytes) -> OfferedRename:
    try:
        told = _rename_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return OfferedRename(project=None, feature=None, renamed_to=None, reason=_NO_RENAME)
    names = (told.feature_slug, told.renamed_to)
    # The features that work packages move between need be no directories.
    may_be = _may_be_a_directory if told.wp_id is None else _may_be_a_feature
    reason = "" if all(map(may_be, names)) else _NO_DIRECTORY
    if "\0" in (told.commit or ""):
        reason = _NO_RENAME
    if names[0] == names[1]:
        reason = _NO_CHANGE
    return OfferedRename(
        project=str(told.project_uuid),
        feature=names[0],
        renamed_to=names[1],
        commit=told.commit,
        wp_id=told.wp_id,
        reason=reason,
    )


def _may_be_a_directory(name: str) -> bool:
    return _may_be_a_feature(name) and "/" not in name


def _may_be_a_feature(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name not in (".", "..") and "\0" not in name
