"""A team's board as it looks in life: names and titles of a real project's features, with their real lengths."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from tests.hub.hubs import created, event, moved

# Features and work packages of the public repository spec-kitty-events (MIT).
FEATURES = {
    "001-event-model-project-identity": ["Core Model & Version Bump", "Update All Tests", "Documentation & Changelog"],
    "002-github-gate-observability-contracts": ["Gate Payload Models & Public API", "Conclusion Mapping & Tests"],
    "003-status-state-model-contracts": [
        "Enums, Evidence Models, and Public API",
        "Ordering Primitives and Reference Reducer",
        "Version Bump, Changelog, and Backward Compat",
    ],
    "005-event-contract-conformance-suite": [
        "Lane Mapping Contract",
        "Schema Subpackage and Generation Script",
        "Canonical Fixtures and Manifest",
        "Compatibility Table, Changelog, and Migration Notes",
    ],
    "006-mission-collaboration-soft-coordination-contracts": [
        "Intent, Focus, and Execution Payloads",
        "Warning, Communication, and Session Payloads",
        "Exports and Schema Generation",
        "Documentation and Version Update",
    ],
    "007-glossary-semantic-integrity-contracts": [
        "Core Payload Models — Scope, Term, Sense, Strictness",
        "Reducer — Checks, Clarifications, Blocks & Assembly",
        "Conformance Fixtures & Integration Verification",
    ],
    "011-wp03-decisionpoint-lifecycle-contracts": [
        "DecisionPoint Event Constants, Payload Models, and Reducer Transitions",
        "DecisionPoint Conformance, Replay Determinism, Versioning, and Downstream Notes",
    ],
    "additive-event-contracts-charter-phase456-01KP343J": [
        "Profile Invocation Domain + Unit Tests",
        "Package Integration + Schema + Version Bump",
    ],
    "decision-moment-v1-contract-freeze-01KPWA0N": [
        "Shared V1 foundation models",
        "DecisionPoint 4.0.0 refactor (payloads, state, reducer)",
        "Golden replay fixtures and integration replay tests",
    ],
    "canonical-producer-contracts-legacy-envelope-01KS7JM3": [
        "Conformance semantic dispatch in validate_event() and seven-model registry",
        "Seven canonical event-type contracts and LOCAL_ONLY_EVENT_TYPES surface",
        "legacy_envelope_v1 normalizer (spec_kitty_events.legacy)",
        "Public-surface integration, manifest registrations, pyargs entrypoint health",
    ],
    "wpstatuschanged-backward-transition-contract-01KRV7SC": [
        "ReconciliationDiagnostic model, enum, and schema",
        "Contract document and README integration",
    ],
}
AGENTS = ["claude", "codex", "opencode", "claude:opus-4-7:reviewer-renata:reviewer", "gemini", "mira"]
PATH = ["planned", "doing", "for_review", "done"]
PROJECTS = {
    "550e8400-e29b-41d4-a716-446655440000": "spec-kitty-events",
    "6fa459ea-ee8a-4ca4-894e-db77e160355e": "observability-pipeline-and-gateway",
}


def story() -> list[Any]:
    """The same events every time: each work package somewhere on its way, some reworked, some blocked."""
    chance = random.Random(7)
    told: list[Any] = []
    lamport = 0
    for project, slug in PROJECTS.items():
        place = {"project_uuid": project, "project_slug": slug, "timestamp": ""}
        for feature, titles in FEATURES.items():
            for number, title in enumerate(titles, start=1):
                wp_id, payload = f"WP{number:02d}", {"feature_slug": feature}
                needs = [f"WP{number - 1:02d}"] if number > 1 else []
                lamport += 1
                place["timestamp"] = _moment(lamport)
                told.append(created(wp_id, title, lamport=lamport, needs=needs, payload=payload, **place))
                agent = chance.choice(AGENTS)
                route = PATH[: chance.randint(1, 4)]
                if len(route) == 4 and chance.random() < 0.4:
                    route = ["planned", "doing", "for_review", "doing", "for_review", "done"]
                for before, after in pairwise(route):
                    lamport += 1
                    place["timestamp"] = _moment(lamport)
                    told.append(moved(wp_id, before, after, lamport=lamport, by=agent, payload=payload, **place))
                if len(route) == 6:
                    lamport += 1
                    place["timestamp"] = _moment(lamport)
                    told.append(_review(wp_id, feature, lamport=lamport, **place))
    return told


def _review(wp_id: str, feature: str, *, lamport: int, **place: str) -> Any:
    said = "The reducer drops the second clarification of a blocked term; see test_dual_mode. Otherwise fine."
    payload = {
        "wp_id": wp_id,
        "entry_type": "review",
        "entry_content": said,
        "author": AGENTS[3],
        "feature_slug": feature,
    }
    return event("HistoryAdded", payload, lamport=lamport, **place)


def _moment(lamport: int) -> str:
    return f"2026-03-{1 + lamport // 24 % 28:02d}T{lamport % 24:02d}:{lamport * 7 % 60:02d}:00+00:00"
