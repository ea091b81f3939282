"""Events as they leave: with the login's team, and with the identity that they lacked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kittywatch.store.delivery import Outgoing
from kittywatch.sync.envelopes import sent_form


def _sent(fields: Any) -> Any:
    return json.loads(sent_form(Outgoing(1, "01A", json.dumps(fields), 1, "uuid", "shop"), "cats"))


def test_the_team_is_the_logins() -> None:
    """Whichever it was queued for: `local` before the first login."""
    own = {"event_id": "01A", "team_slug": "local", "project_uuid": "own", "project_slug": "name"}
    assert _sent(own) == own | {"team_slug": "cats"}


@pytest.mark.parametrize("lacks", [("project_uuid",), ("project_slug",), ("project_uuid", "project_slug")])
@pytest.mark.parametrize("stated", [False, True])
def test_an_identity_that_was_lacking_is_filled_in(lacks: tuple[str, ...], stated: bool) -> None:
    """Queued before the project had one; the rest, and the id, are as they were."""
    whole = {
        "event_id": "01A",
        "team_slug": "cats",
        "project_uuid": "uuid",
        "project_slug": "shop",
        "payload": {"a": 1},
    }
    queued = {name: value for name, value in whole.items() if name not in lacks}
    assert _sent(queued | (dict.fromkeys(lacks) if stated else {})) == whole


def test_what_is_no_event_goes_out_as_it_is() -> None:
    """Another program queued it: the server says what is wrong with it, and then it is a dead letter."""
    assert _sent(["not", "an", "event"]) == ["not", "an", "event"]
