"""`kittywatch hub …` as a server that knows version 1.0.0 alone: it neither announces nor takes the newer one."""

from __future__ import annotations

from kittywatch.cli.main import main
from kittywatch.events import Event, InvalidEventError, from_json
from kittywatch.hub import api, config, parsing
from tests.sync.quick_hub import Quick


def _older(data: str | bytes) -> Event:
    event = from_json(data)
    if event.schema_version != "1.0.0":
        raise InvalidEventError("Event", "schema_version", "Not one of the allowed values")
    return event


if __name__ == "__main__":
    config.Config = Quick  # type: ignore[misc]
    api.FEATURES = tuple(one for one in api.FEATURES if one != "events-1.1")  # type: ignore[assignment]
    parsing.from_json = _older  # type: ignore[attr-defined]
    main()
