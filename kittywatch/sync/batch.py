"""Delivery in batches: the queue goes to the server, oldest first, and what the server says of each event is settled.

Rules of this module:
- Every event is tried once a run: a run walks through the queue once, claiming what it sends. What has to be tried
  again within a run (a broken connection, a batch that is halved) stays claimed until it is settled or given back.
- No network inside a transaction; nothing leaves the queue before the server has said that it has it.
- Nothing that goes wrong loses an event; each way to go wrong ends in `Summary.stopped`, or in a reason for the event.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from kittywatch.errors import AuthenticationError, ServerError, SyncError, UnreachableError
from kittywatch.store import delivery, destinations
from kittywatch.store.delivery import Outgoing
from kittywatch.store.destinations import Destination
from kittywatch.store.store import Store
from kittywatch.sync import features, verdicts
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.backoff import Backoff
from kittywatch.sync.batch_interval import give_back, reserve
from kittywatch.sync.claims import Claims
from kittywatch.sync.clock import SYSTEM, Clock
from kittywatch.sync.credentials import Credentials
from kittywatch.sync.envelopes import MAX_EVENTS, batches, body
from kittywatch.sync.http import Answer, Http
from kittywatch.sync.older_servers import KEPT, UNSAID, form_for, is_newer
from kittywatch.sync.riders import Beside, Riders
from kittywatch.sync.settings import read_settings
from kittywatch.sync.summary import Kind, Progress, Summary, Tally
from kittywatch.sync.verdicts import Forbidden, Halve, Later, Strange, Taken, Unauthorized, Verdict

if TYPE_CHECKING:
    import sqlite3

PATH = "/api/v1/events/batch/"
BATCH_DEADLINE = 60.0
ATTEMPTS = 5
PATIENCE = 60.0
_LONGEST_PAUSE = 1.0  # before it is looked again whether another process has changed what there is to wait for


class _StopError(Exception):
    """The run ends here; `kind` is one of Summary's."""

    def __init__(self, kind: Kind, error: SyncError | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.error = error


def batch_sync(
    store: Store,
    auth: AuthClient,
    *,
    progress: Progress | None = None,
    clock: Clock = SYSTEM,
    attempts: int = ATTEMPTS,
    patience: float = PATIENCE,
    deadline: float | None = None,
    batch_deadline: float = BATCH_DEADLINE,
    batch_size: int = MAX_EVENTS,
    chance: Callable[[], float] = random.random,
    resting: bool = False,
) -> Summary:
    """Deliver what waits for the present login; returns what became of it.

    `attempts` is how many failures in a row end the run, `patience` the longest time in seconds for which a server may
    ask to be left alone, `deadline` the seconds that all of it may take, `resting` whether what was refused a while ago
    is tried again before its time. `clock.stop` ends it early. Several processes may run this at once. Raises
    StoreError; whatever the network and the server do is in the summary.
    """
    end = None if deadline is None else clock.monotonic() + deadline
    limits = _Limits(attempts, patience, end, batch_deadline, min(batch_size, MAX_EVENTS), chance, resting)
    return _Run(store, auth, progress, clock, limits).run()


class _Limits(NamedTuple):
    """The limits of a run; see `batch_sync`. `end` is a moment of the monotonic clock."""

    attempts: int
    patience: float
    end: float | None
    batch_deadline: float
    batch_size: int
    chance: Callable[[], float]
    resting: bool


class _Run:
    def __init__(
        self, store: Store, auth: AuthClient, progress: Progress | None, clock: Clock, limits: _Limits
    ) -> None:
        self._store = store
        self._auth = auth
        self._progress = progress
        self._clock = clock
        self._limits = limits
        self._tally = Tally()
        self._backoff = Backoff()
        self._forbidden: set[int] = set()
        self._to: Destination | None = None
        self._http: Http | None = None
        self._riders: Riders | None = None

    def run(self) -> Summary:
        stop: _StopError | None = None
        try:
            with Claims(self._store) as claims, contextlib.ExitStack() as stack:
                self._begin(stack, claims)
                claims.free_the_dead()
                self._through(claims)
                self._riders_alone()
        except _StopError as stopped:
            stop = stopped
        except AuthenticationError as error:
            stop = _StopError("auth", error)
        except UnreachableError as error:
            stop = _StopError("network", error)
        except SyncError as error:
            stop = _StopError("server", error)
        return self._finish(stop)

    def _begin(self, stack: contextlib.ExitStack, claims: Claims) -> None:
        """Read the login, and connect to its server."""
        login = self._patiently(self._auth.current)

        def start(connection: sqlite3.Connection) -> tuple[Destination, int]:
            to = destinations.present(connection)
            if to is None or (to.url, to.team) != (login.url, login.team_slug):
                to = destinations.set_present(connection, login.url, login.team_slug)
            delivery.adopt(connection)
            return to, delivery.waiting(connection, to.key).sendable

        self._to, self._tally.total = self._store.transact(start)
        self._http = stack.enter_context(Http(login.url, settings=read_settings(self._auth.home)))
        self._riders = Riders(self._store, claims, self._http, self._to.key, self._clock)

    def _through(self, claims: Claims) -> None:
        """The whole queue once."""
        last = 0
        assert self._to is not None
        size, resting = self._limits.batch_size, self._limits.resting
        while batch := claims.take(self._to.key, limit=size, after=last, without=self._forbidden, resting=resting):
            last = batch[-1].key
            forms = self._forms(batch, claims)
            parts = batches([event for event in batch if event.key in forms], forms)
            while parts:
                parts[:0] = self._deliver(parts.pop(0), forms, claims)
                parts = [left for part in parts if (left := [one for one in part if self._may_go(one)])]

    def _forms(self, batch: list[Outgoing], claims: Claims) -> dict[int, bytes]:
        """The JSON of each event that is sent, by its row; what has none for this server is settled."""
        assert self._to is not None
        assert self._riders is not None
        named = self._riders.named() if any(map(is_newer, batch)) else frozenset()
        takes_newer = named is not None and features.NEWER_EVENTS in named
        forms: dict[int, bytes] = {}
        unsaid: list[str] = []
        kept: list[int] = []
        for event in batch:
            unknown = named is None and is_newer(event)
            form = KEPT if unknown else form_for(event, self._to.team, takes_newer=takes_newer)
            if isinstance(form, bytes):
                forms[event.key] = form
            elif form is UNSAID:
                unsaid.append(event.event_id)
            else:
                kept.append(event.key)
        if unsaid or kept:
            claims.settle(delivered=unsaid, waiting=kept)
            self._tally.count(["delivered"] * len(unsaid))
            self._tally.count(["waiting"] * len(kept))
        return forms

    def _riders_alone(self) -> None:
        """What belongs to events that the server has had before, or has taken in this run."""
        assert self._riders is not None
        while riders := self._riders.board(without=self._forbidden):
            verdict = self._ask([], [], riders)
            if not isinstance(verdict, Taken):
                self._riders.get_off(riders)
                return
            self._riders.alight(riders, verdict)

    def _may_go(self, event: Outgoing) -> bool:
        return event.project not in self._forbidden

    def _deliver(self, part: list[Outgoing], forms: dict[int, bytes], claims: Claims) -> list[list[Outgoing]]:
        """Send one batch and settle what is said of it; returns what of it is to be sent again, in batches."""
        assert self._riders is not None
        sent_at = self._clock.now()
        event_ids = [event.event_id for event in part]
        riders = self._riders.board(part, without=self._forbidden)
        verdict = self._ask([forms[event.key] for event in part], event_ids, riders)
        if isinstance(verdict, Taken):
            again = self._settle(part, verdict, claims, sent_at)
            self._riders.alight(riders, verdict)
            return again
        if riders:
            self._riders.get_off(riders)
            return [part]
        if isinstance(verdict, Halve):
            if len(part) > 1:
                half = len(part) // 2
                return [part[:half], part[half:]]
            return self._settle(part, Taken({part[0].event_id: "refused"}, {part[0].event_id: verdict.reason}), claims)
        assert isinstance(verdict, Forbidden)
        projects = {event.project: [one for one in part if one.project == event.project] for event in part}
        if len(projects) > 1:
            return list(projects.values())
        self._forbidden.add(part[0].project)
        self._tally.forbidden[part[0].project_slug or part[0].project_uuid] = verdict.reason
        claims.settle(waiting=[event.key for event in part])
        return []

    def _settle(
        self, part: list[Outgoing], taken: Taken, claims: Claims, sent_at: float | None = None
    ) -> list[list[Outgoing]]:
        """Settle one batch; returns what of it is to be sent again."""
        again = [event for event in part if taken.others_again and event.event_id not in taken.fates]
        settled = [event for event in part if not taken.others_again or event.event_id in taken.fates]
        fates = {event.event_id: taken.fates.get(event.event_id, "missing") for event in settled}
        self._tally.dead += claims.settle(
            delivered=[event_id for event_id, fate in fates.items() if fate in ("delivered", "duplicate")],
            refused=taken.reasons,
            waiting=[event.key for event in settled if fates[event.event_id] in ("waiting", "missing")],
            sent_at=sent_at,
        )
        self._tally.count(fates.values())
        self._tally.reasons |= taken.reasons
        if self._progress is not None:
            self._progress(self._tally.done, max(self._tally.total, self._tally.done))
        return [again] if again else []

    def _ask(self, forms: list[bytes], event_ids: list[str], riders: Beside) -> Verdict:
        """The server's verdict on a batch, after as many tries as it takes; raises _StopError."""
        data = body(forms, riders.aliases, riders.renames)
        refreshed = False
        while self._store.exists:  # else somebody removed all of it
            login = self._patiently(self._auth.current)
            self._same(login)
            try:
                verdict = self._once(data, event_ids, riders, login)
            except UnreachableError as error:
                self._wait_after(error)
                continue
            except ServerError as error:
                raise _StopError("server", error) from None
            if isinstance(verdict, Unauthorized):
                if refreshed:
                    raise AuthenticationError(f"{login.url} doesn't take this login")
                refreshed = True
                self._same(self._patiently(functools.partial(self._auth.refresh, login.access)))
            elif isinstance(verdict, Later):
                self._wait_after(UnreachableError(f"{login.url}: {verdict.reason}", wait=verdict.wait))
            elif isinstance(verdict, Strange):
                raise _StopError("server", ServerError(f"{login.url}: {verdict.reason}"))
            else:
                self._backoff.succeeded()
                return verdict
        raise _StopError("stopped")

    def _once(self, data: bytes, event_ids: list[str], riders: Beside, login: Credentials) -> Verdict:
        assert self._http is not None
        slot = self._take_slot()
        self._tally.batches += 1
        answer = self._http.post(
            PATH, data, bearer=login.access, headers={"Content-Encoding": "gzip"}, deadline=self._left()
        )
        self._heed_interval(answer, slot)
        return verdicts.classify(
            answer.status,
            answer.headers,
            answer.body,
            event_ids,
            now=self._clock.now(),
            aliases=[one.alias for one in riders.aliases],
            renames=[one.name for one in riders.renames],
        )

    def _take_slot(self) -> float:
        """Wait until a batch may be sent; returns when that was. Other processes take slots too."""
        assert self._to is not None
        to = self._to
        while True:
            now = self._clock.monotonic()
            wait = self._store.transact(functools.partial(reserve, to=to, now=now))
            if wait <= 0:
                return now
            if wait > self._limits.patience:
                raise _StopError("deadline")
            self._pause(min(wait, _LONGEST_PAUSE))

    def _heed_interval(self, answer: Answer, slot: float) -> None:
        """Keep the batch interval that the server asks for, for all processes."""
        seconds = verdicts.batch_interval(answer.headers)
        assert self._to is not None
        to = self._to
        if seconds is None or seconds == to.batch_interval:
            return
        self._to = Destination(to.key, to.url, to.team, seconds)

        def keep(connection: sqlite3.Connection) -> None:
            destinations.set_batch_interval(connection, to.key, seconds)
            reserve(connection, to, slot, anew=True)

        self._store.transact(keep)

    def _patiently(self, question: Callable[[], Credentials]) -> Credentials:
        """The login, with as many tries as it takes to refresh it."""
        while True:
            try:
                return question()
            except UnreachableError as error:
                self._wait_after(error)

    def _same(self, login: Credentials) -> None:
        """End the run if another server or team was logged in to meanwhile: claims are for one alone."""
        if self._to is not None and (login.url, login.team_slug) != (self._to.url, self._to.team):
            raise _StopError("login")

    def _wait_after(self, error: UnreachableError) -> None:
        seconds = self._backoff.failed(chance=self._limits.chance(), stated=error.wait)
        if self._to is not None and self._store.exists:
            self._store.transact(functools.partial(give_back, to=self._to))
        limits = self._limits
        if self._backoff.failures >= limits.attempts or seconds > min(limits.patience, self._remaining()):
            raise _StopError("network", error)
        self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        if seconds > self._remaining():
            raise _StopError("deadline")
        if self._clock.wait(seconds):
            raise _StopError("stopped")

    def _remaining(self) -> float:
        return float("inf") if self._limits.end is None else self._limits.end - self._clock.monotonic()

    def _left(self) -> float:
        """Seconds that one question may take."""
        remaining = self._remaining()
        if self._clock.stopped:
            raise _StopError("stopped")
        if remaining <= 0:
            raise _StopError("deadline")
        return min(self._limits.batch_deadline, remaining)

    def _finish(self, stop: _StopError | None) -> Summary:
        """Keep for other processes how it went."""
        kind, error = (stop.kind, stop.error) if stop else (None, None)
        summary = self._tally.summary(kind, error)
        if self._riders is not None:
            told = self._riders
            summary = replace(
                summary,
                aliases=told.aliases,
                aliases_refused=told.aliases_refused,
                renames=told.renames,
                moves=told.moves,
                renames_refused=told.renames_refused,
            )
        if not self._store.exists:
            return summary
        now = self._clock.now()

        def keep(connection: sqlite3.Connection) -> int:
            changes = summary.notes(now, delivery.notes(connection))
            delivery.remember(connection, **changes)
            return delivery.waiting(connection, self._to.key if self._to else None).sendable

        return summary.with_left(self._store.transact(keep))
