"""The delivery status, as far as this machine knows without asking the server: for `sync status` and the watcher."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from kittywatch.errors import AuthenticationError
from kittywatch.store import aliases, delivery, destinations
from kittywatch.store.delivery import Waiting
from kittywatch.store.store import Store
from kittywatch.sync import features
from kittywatch.sync.auth import LOCAL, AuthClient
from kittywatch.sync.credentials import Credentials
from kittywatch.sync.flusher import auto_start, delivering
from kittywatch.sync.older_servers import is_kept
from kittywatch.sync.status import HINT, SHOWN, ConnectionStatus

if TYPE_CHECKING:
    import sqlite3

    from kittywatch.project import Project

_TOO_NEW = (
    "the server takes ids like WP01 alone (events 1.0.0), and theirs are others; they go once it says that it takes"
    " events 1.1.0"
)


class DeliveryStatus(Struct, frozen=True):
    """The status of delivery. Moments are seconds since 1970, None where there is none.

    `kept_by` says, a line each, what keeps events or aliases from being sent.
    """

    queue_length: int
    aliases_waiting: int
    oldest_age_seconds: float | None
    dead_letters: int
    connection: str
    last_sync_at: float | None
    next_try_at: float | None
    server: str | None
    team_slug: str
    username: str | None
    kept_by: list[str]

    @property
    def shown_connection(self) -> str:
        """The connection's status as `sync status` shows it."""
        return SHOWN.get(self.connection, SHOWN[ConnectionStatus.OFFLINE])

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields


def delivery_status(store: Store, project: Project | None = None, *, now: float | None = None) -> DeliveryStatus:
    """Read the delivery status of a home's store; raises StoreError.

    `project` is the one at hand, None outside of one; `now` is in seconds since 1970, None for the clock's time.
    """
    moment = time.time() if now is None else now
    problem, login = None, None
    try:
        login = AuthClient(store.directory).status()
    except AuthenticationError as error:
        problem = f"{error}; {error.remedy}"
    notes: dict[str, Any] = {}
    waiting, aliases_waiting, out, unwelcome, too_new = Waiting(0, 0, 0, 0, 0, None), 0, False, False, 0
    if store.exists:
        waiting, aliases_waiting, notes, out, unwelcome, too_new = store.read(
            lambda connection: _look(connection, login, project, moment)
        )
    active = False
    if store.directory.is_dir():
        with delivering(store.directory) as free:
            active = not free
    next_try = notes.get("next_try_at")
    return DeliveryStatus(
        queue_length=waiting.length,
        aliases_waiting=aliases_waiting,
        oldest_age_seconds=None if waiting.oldest_emitted_at is None else max(moment - waiting.oldest_emitted_at, 0.0),
        dead_letters=waiting.dead,
        connection=notes.get("connection", str(ConnectionStatus.BATCH_MODE))
        if active
        else str(ConnectionStatus.OFFLINE),
        last_sync_at=notes.get("last_sync_at"),
        next_try_at=next_try if next_try is not None and next_try > moment else None,
        server=login.url if login else None,
        team_slug=login.team_slug if login else LOCAL,
        username=login.username if login else None,
        kept_by=[
            *([problem] if problem else []),
            *_reasons(waiting, notes, login, project, out=out),
            *([_kept_aliases(aliases_waiting)] if unwelcome else []),
            *([kept_as_too_new(too_new)] if too_new else []),
        ],
    )


def kept_as_too_new(count: int) -> str:
    """Why events are kept that the server can't take the ids of, for people."""
    return f"{count} kept: {_TOO_NEW}"


def count_too_new(connection: sqlite3.Connection, destination: int | None, *, now: float) -> int:
    """How many events wait because their ids are more than the destination's server is known to take."""
    named = None if destination is None else features.known(connection, destination, now=now)
    if named is None or features.NEWER_EVENTS in named:
        return 0
    return sum(map(is_kept, delivery.preview(connection, destination)))


def _kept_aliases(count: int) -> str:
    return f"{count} alias{'es' if count > 1 else ''} kept: the server doesn't say that it takes aliases"


def _look(
    connection: sqlite3.Connection, login: Credentials | None, project: Project | None, now: float
) -> tuple[Waiting, int, dict[str, Any], bool, bool, int]:
    """What waits, how many aliases do, the notes; whether the project opted out, and aliases aren't taken.

    The last is how many events have ids that the server can't take.
    """
    to = None if login is None else -1  # which nothing is for, where the login is new
    for one in destinations.all_of_them(connection):
        if login is not None and (one.url, one.team) == (login.url, login.team_slug):
            to = one.key
    row = project.emitter.find_row(connection) if project else None
    out = row is not None and delivery.opted_out(connection, row)
    further = aliases.waiting(connection)
    named = None if to is None else features.known(connection, to, now=now)
    unwelcome = further > 0 and named is not None and features.ALIASES not in named
    too_new = count_too_new(connection, to, now=now)
    return delivery.waiting(connection, to), further, delivery.notes(connection), out, unwelcome, too_new


def _reasons(
    waiting: Waiting, notes: dict[str, Any], login: Credentials | None, project: Project | None, *, out: bool
) -> list[str]:
    lines = []
    if login is None:
        lines.append(HINT)
    failure = notes.get("failure")
    if failure:
        lines.append(f"{failure['said']}; {failure['remedy']}")
    for name, reason in (notes.get("forbidden") or {}).items():
        lines.append(f"{name} is not taken: {reason}")
    if out:
        lines.append("this project opted out; `kittywatch sync opt-in` lets its events go")
    if project is not None and not auto_start(project):
        lines.append("sync.auto_start is false in .kittify/config.yaml: only `kittywatch sync now` sends")
    for count, why in (
        (waiting.opted_out, "of projects that opted out"),
        (waiting.without_identity, "of projects without identity; `kittywatch init` there gives them one"),
        (waiting.for_others, "for another server or team; `kittywatch auth login --queued send` sends them here"),
        (waiting.dead, "refused too often; `kittywatch queue list --dead` shows them"),
    ):
        if count:
            lines.append(f"{count} kept: {why}")
    return lines
