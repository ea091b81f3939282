"""Real hubs for the tests: databases, server processes, and a machine that talks to them."""

from __future__ import annotations

import functools
import gzip
import json
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from sqlalchemy import Connection

from kittywatch.events import random_id
from kittywatch.hub import accounts, migrations, passwords, sessions, tokens
from kittywatch.hub.accounts import Team, User
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.sessions import Kind, Opened
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from tests import warm
from tests.waiting import DEADLINE, until

PASSWORD = "correct horse battery"
PROJECT = "550e8400-e29b-41d4-a716-446655440000"
FEATURE = "001-purr"
MACHINE = "a1b2c3d4e5f6"


@functools.cache
def _hash() -> str:
    """One hash for all of the tests' users: it is made to be expensive."""
    return passwords.hashed(PASSWORD)


def add_user(connection: Connection, name: str, *, team: Team) -> User:
    """A user of a team, whose password is PASSWORD."""
    known = _hash()
    with patch.object(passwords, "hashed", lambda password: known):
        return accounts.add_user(connection, name, team=team, password=PASSWORD, must_change=False)


def populate(database: str, *, teams: Mapping[str, Sequence[str]]) -> None:
    """Migrate a database and give it teams with their users, who all have PASSWORD."""
    engine = open_engine(database)
    migrations.migrate(engine)
    with writing(engine) as connection:
        for slug, names in teams.items():
            team = accounts.add_team(connection, slug)
            for name in names:
                add_user(connection, name, team=team)
    engine.dispose()


@dataclass(kw_only=True)
class Hub:
    """A server process; `log` holds what it says."""

    database: str
    log: Path
    arguments: Sequence[str] = ()
    module: str = warm.MAIN
    port: int = 0
    process: warm.Process | None = None
    url: str = ""
    starts: int = field(default=0)

    def start(self) -> Hub:
        self.starts += 1
        before = self.log.stat().st_size if self.log.exists() else 0
        command = ["hub", "serve", "--database", self.database, "--port", str(self.port), *self.arguments]
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            files = (nothing.fileno(), log.fileno(), log.fileno())
            self.process = warm.start(command, files=files, module=self.module)

        def announced() -> str:
            assert self.process is not None
            text = self.log.read_bytes()[before:].decode()
            assert self.process.poll() is None, text
            return next((line.split()[1] for line in text.splitlines() if line.startswith("Board: ")), "")

        until(announced, what=f"the hub to listen: {self.log}")
        self.url = announced().rstrip("/")
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=DEADLINE)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def open_login(self, name: str, *, kind: Kind = "machine") -> Opened:
        """A login made in the database, without the cost of a password."""
        engine = open_engine(self.database)
        with writing(engine) as connection:
            opened = sessions.open_session(connection, accounts.user_named(connection, name), kind=kind)
        engine.dispose()
        return opened

    def access_token(self, opened: Opened, *, lifetime: int = 900) -> str:
        engine = open_engine(self.database)
        with reading(engine) as connection:
            key = tokens.signing_key(connection)
        engine.dispose()
        return tokens.issue(key, opened.login, lifetime=lifetime)

    def change_user(self, name: str, **changes: Any) -> None:
        engine = open_engine(self.database)
        with writing(engine) as connection:
            user: User = accounts.user_named(connection, name)
            if "disabled" in changes:
                accounts.set_disabled(connection, user, disabled=changes["disabled"])
            else:
                accounts.end_logins(connection, user)
        engine.dispose()


class Machine:
    """A client of the protocol, as plain as can be; the real client has its own tests."""

    def __init__(self, url: str, access: str = "", *, verify: Any = True) -> None:
        self.http = httpx.Client(base_url=url, timeout=DEADLINE, verify=verify, trust_env=False)
        self.access = access
        self.refresh = ""

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        response = self.http.post("/api/v1/token/", json={"username": name, "password": password})
        if response.status_code == 200:
            self.access, self.refresh = response.json()["access"], response.json()["refresh"]
        return response

    def send(self, events: Iterable[Any], **headers: str) -> httpx.Response:
        body = gzip.compress(json.dumps({"events": list(events)}).encode())
        sent = self.headers | {"Content-Encoding": "gzip", "Content-Type": "application/json"} | headers
        return self.http.post("/api/v1/events/batch/", content=body, headers=sent)

    def statuses(self, events: Iterable[Any]) -> list[str]:
        response = self.send(events)
        assert response.status_code == 200, response.text
        return [result["status"] for result in response.json()["results"]]

    def ws_token(self) -> str:
        response = self.http.post("/api/v1/ws-token/", headers=self.headers)
        assert response.status_code == 200, response.text
        return str(response.json()["ws_token"])


def event(kind: str, payload: Mapping[str, Any], *, lamport: int, **changes: Any) -> dict[str, Any]:
    """An event of the contract as JSON data."""
    wp_id = payload.get("wp_id")
    return {
        "event_id": random_id(),
        "event_type": kind,
        "aggregate_id": wp_id or payload["feature_slug"],
        "aggregate_type": "WorkPackage" if wp_id else "Feature",
        "payload": dict(payload),
        "node_id": MACHINE,
        "build_id": "main-checkout",
        "lamport_clock": lamport,
        "causation_id": None,
        "correlation_id": random_id(),
        "timestamp": f"2026-03-01T{lamport // 3600 % 24:02d}:{lamport // 60 % 60:02d}:{lamport % 60:02d}+00:00",
        "team_slug": "local",
        "project_uuid": PROJECT,
        "project_slug": "purr",
        "schema_version": "1.0.0",
    } | changes


def created(wp_id: str, title: str = "A title", *, lamport: int, needs: Sequence[str] = (), **changes: Any) -> Any:
    payload = {"wp_id": wp_id, "title": title, "dependencies": list(needs), "feature_slug": FEATURE}
    return event("WPCreated", payload | changes.pop("payload", {}), lamport=lamport, **changes)


def moved(wp_id: str, before: str, after: str, *, lamport: int, by: str = "claude", **changes: Any) -> Any:
    payload = {
        "wp_id": wp_id,
        "previous_status": before,
        "new_status": after,
        "changed_by": by,
        "feature_slug": FEATURE,
    }
    return event("WPStatusChanged", payload | changes.pop("payload", {}), lamport=lamport, **changes)


def moved_3(wp_id: str, before: str, after: str, *, lamport: int, **changes: Any) -> Any:
    """A transition of spec-kitty 3's lanes."""
    lanes = SPEC_KITTY_3.lanes
    stated = {"previous_category": lanes.get(before, "backlog"), "new_category": lanes[after]}
    payload = stated | changes.pop("payload", {})
    return moved(wp_id, before, after, lamport=lamport, schema_version="1.1.0", payload=payload, **changes)


def must_have(what: str, found: object) -> None:
    """Skip a test whose outside part is missing here."""
    import pytest

    if not found:
        pytest.skip(f"{what} is not installed")
