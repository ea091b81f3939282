"""What is to be told, before it is an event."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from kittywatch.derive.beside import Beside
from kittywatch.derive.settle import Told
from kittywatch.derive.snapshot import BrokenContent, FeatureFacts

Telling: TypeAlias = "FeatureTold | PackageTold | BesideTold | ResolvedTold | CompletedTold | BrokenTold"


class FeatureTold(Struct, frozen=True):
    """A feature was seen for the first time."""

    feature: str
    facts: FeatureFacts
    moment: datetime
    commit: str | None


class PackageTold(Struct, frozen=True):
    """A work package was created, or took a step."""

    told: Told
    commit: str | None


class BesideTold(Struct, frozen=True):
    """A note, review feedback, or who took a work package on."""

    beside: Beside
    commit: str | None


class Cause(Struct, frozen=True):
    """The step to done that something follows from."""

    feature: str
    wp_id: str
    event_id: str
    moment: datetime
    commit: str | None


class ResolvedTold(Struct, frozen=True):
    """The work package `wp_id` waits no longer for the one that reached done."""

    cause: Cause
    wp_id: str
    how: Literal["completed", "merged"]


class CompletedTold(Struct, frozen=True):
    """All of a feature's work packages are done; `created_at` is what the feature's own files say."""

    cause: Cause
    work_packages: int
    created_at: str | None


class BrokenTold(Struct, frozen=True):
    """A content that cannot be read, told once."""

    broken: BrokenContent
    moment: datetime
    commit: str | None


def place(telling: Telling) -> tuple[str, bool, str]:
    """By feature, the feature itself first, then by work package."""
    if isinstance(telling, FeatureTold):
        return telling.feature, False, ""
    if isinstance(telling, PackageTold):
        return telling.told.package.feature, True, telling.told.package.wp_id
    if isinstance(telling, BesideTold):
        return telling.beside.package.feature, True, telling.beside.package.wp_id
    if isinstance(telling, BrokenTold):
        return telling.broken.feature, True, telling.broken.wp_id or ""
    return telling.cause.feature, True, telling.cause.wp_id
