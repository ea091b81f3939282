"""Transitions that the hub shows twice: under the event that was emitted here, and under an alias of it.

A hub is asked for this project's events, where it lists them; any other server can't be asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.errors import AuthenticationError
from kittywatch.store import aliases
from kittywatch.store.aliases import Alias
from kittywatch.sync import features
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.http import Http
from kittywatch.sync.settings import read_settings

SECONDS = 10.0
_PATH = "/api/v1/events/"
_MOST_PAGES = 100  # of a thousand events


def check(examination: Examination) -> Iterator[Finding]:
    """Aliases that the hub should have made one with their events, and hasn't."""
    emitter = examination.project.emitter
    none: list[Alias] = []
    known = emitter.read(aliases.of_project, default=none)
    if not known:
        return
    shown = _shown(examination)
    twice = [one for one in known if one.alias in shown and one.event_id in shown]
    refused = [one for one in twice if one.refused_at is not None]
    if refused:
        yield Finding(
            f"the hub shows {_transitions(refused)} twice and won't take them for one: {refused[0].reason}",
            f"see which with `kittywatch explain {refused[0].alias}`, and ask who runs the hub",
        )
    rest = [one for one in twice if one.refused_at is None]
    if rest:
        yield Finding(
            f"the hub shows {_transitions(rest)} twice, as {rest[0].event_id} and {rest[0].alias}, say",
            "`kittywatch doctor --fix` tells it that they are the same",
            lambda: _tell_again(examination, rest),
        )


def _transitions(found: list[Alias]) -> str:
    return "1 transition" if len(found) == 1 else f"{len(found)} transitions"


def _shown(examination: Examination) -> set[str]:
    """The ids of the project's events that the hub shows; none where it isn't one that can be asked.

    Raises SyncError.
    """
    client = AuthClient(examination.home, deadline=SECONDS)
    project = examination.project.identity.project_uuid
    try:
        login = client.status()
    except AuthenticationError:
        return set()
    if login is None or project is None:
        return set()
    shown: set[str] = set()
    with Http(login.url, settings=read_settings(examination.home), deadline=SECONDS) as http:
        if features.EVENTS not in (features.ask(http) or ()):
            return set()
        bearer, cursor = client.access_token(), "0"
        for _ in range(_MOST_PAGES):
            query = urlencode({"project": project, "after": cursor, "limit": 1000})
            page: Any = http.get(f"{_PATH}?{query}", bearer=bearer).value
            events = page.get("events") if isinstance(page, dict) else None
            if not isinstance(events, list):
                break
            shown |= {str(one.get("event_id")) for one in events if isinstance(one, dict)}
            cursor = str(page.get("cursor"))
            if page.get("at_end") is not False or not events:
                break
    return shown


def _tell_again(examination: Examination, twice: list[Alias]) -> str:
    """Deliver the aliases, also those that the hub has had before: it may have been restored from a backup."""
    from kittywatch.sync.batch import batch_sync

    emitter = examination.project.emitter
    names = [one.alias for one in twice]
    emitter.transact(lambda unit: aliases.send_again(unit.connection, unit.project, names))
    done = batch_sync(emitter.store, AuthClient(examination.home), deadline=SECONDS)
    return f"told it so: {_transitions(twice) if done.aliases else 'nothing'}"
