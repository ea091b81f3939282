"""The schemas of events, which nobody needs a login for."""

from __future__ import annotations

import httpx
import pytest
from jsonschema import Draft202012Validator

from kittywatch.events.schema import TYPES, VERSIONS, schema_of
from tests.events.examples import example
from tests.hub.hubs import Hub


def test_each_type_in_each_version(hub: Hub) -> None:
    """With every example of the type valid."""
    with httpx.Client(base_url=hub.url, trust_env=False) as client:
        assert "schemas" in client.get("/api/v1/").json()["features"]
        for version in VERSIONS:
            for event_type in TYPES:
                answer = client.get(f"/schemas/{version}/{event_type}.json")
                assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
                assert answer.json() == schema_of(event_type, version)
                Draft202012Validator(answer.json()).validate({**example(event_type), "schema_version": version})


@pytest.mark.parametrize("path", ["/schemas/9.9.9/WPCreated.json", "/schemas/1.0.0/WPNothing.json", "/schemas/1.0.0/x"])
def test_no_such_schema(hub: Hub, path: str) -> None:
    with httpx.Client(base_url=hub.url, trust_env=False) as client:
        assert client.get(path, headers={"Accept": "application/json"}).status_code == 404
