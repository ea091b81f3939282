"""Facts: what is to be emitted, before it is an event."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from kittywatch.derive.changes import BrokenContent, FeatureInfo
from kittywatch.derive.ledger import Entry, Phase
from kittywatch.derive.steps import Step
from kittywatch.workpackages.reader import WorkPackage
from kittywatch.workpackages.stated import Who

Fact: TypeAlias = "FeatureFact | TransitionFact | AnnotationFact | ResolutionFact | CompletionFact | ErrorFact"


class Assigned(Struct, frozen=True):
    """Somebody took a work package on; `retry_count` counts the assignments before it in the same phase.

    `who` is what the source knows of the agent.
    """

    agent: str
    phase: Phase
    retry_count: int
    who: Who | None = None


class Note(Struct, frozen=True):
    """An entry of a work package's history; a private one leaves the machine only if the project shares such texts."""

    kind: Literal["note", "review"]
    content: str
    author: str
    is_private: bool = False


class Annotation(Struct, frozen=True):
    """A note, review feedback or an assignment.

    `place` orders it among the records of the trail, as `annotations.place_of` does the steps.
    """

    package: WorkPackage
    what: Note | Assigned
    moment: datetime
    place: float
    entry: Entry | None = None


class EmittedStep(Struct, frozen=True):
    """A work package's creation (`step` is None) or step that is to be emitted, and its entry in the ledger."""

    package: WorkPackage
    step: Step | None
    moment: datetime
    entry: Entry


class FeatureFact(Struct, frozen=True):
    """A feature was seen for the first time."""

    feature: str
    info: FeatureInfo
    moment: datetime
    commit: str | None


class TransitionFact(Struct, frozen=True):
    """A work package was created, or took a step."""

    emitted: EmittedStep
    commit: str | None


class AnnotationFact(Struct, frozen=True):
    """A note, review feedback, or an assignment."""

    annotation: Annotation
    commit: str | None


class Cause(Struct, frozen=True):
    """The step that something follows from: dependents may begin (`releases`), nothing is left to do (`ends`)."""

    feature: str
    wp_id: str
    event_id: str
    moment: datetime
    commit: str | None
    releases: bool = True
    ends: bool = True


class ResolutionFact(Struct, frozen=True):
    """The work package `wp_id` waits no longer for the one that reached done."""

    cause: Cause
    wp_id: str
    how: Literal["completed", "merged"]
    feature: str


class CompletionFact(Struct, frozen=True):
    """All of a feature's work packages are done; `created_at` is what the feature's own files say."""

    cause: Cause
    work_packages: int
    created_at: str | None


class ErrorFact(Struct, frozen=True):
    """A content that cannot be read, emitted once."""

    broken: BrokenContent
    moment: datetime
    commit: str | None


def place(fact: Fact) -> tuple[str, bool, str]:
    """The sort key of one observation's facts: by feature, the feature itself first, then by work package."""
    if isinstance(fact, FeatureFact):
        return fact.feature, False, ""
    if isinstance(fact, TransitionFact):
        return fact.emitted.package.feature, True, fact.emitted.package.wp_id
    if isinstance(fact, AnnotationFact):
        return fact.annotation.package.feature, True, fact.annotation.package.wp_id
    if isinstance(fact, ErrorFact):
        return fact.broken.feature, True, fact.broken.wp_id or ""
    return fact.cause.feature, True, fact.cause.wp_id
