"""One ErrorLogged where delivery gave up, until it works again."""

from __future__ import annotations

from pathlib import Path

from kittywatch.emit.emitter import EventEmitter
from kittywatch.errors import AuthenticationError, UnreachableError
from kittywatch.store import delivery
from kittywatch.sync.failure_report import report_failure
from kittywatch.sync.summary import Summary
from tests.store import stores

AWAY = Summary(stopped="network", error=UnreachableError("https://a can't be reached"))
REFUSED = Summary(stopped="auth", error=AuthenticationError("the login at https://a has ended"))


def _errors(home: Path) -> list[str]:
    rows = stores.rows(home, "SELECT json_extract(data, '$.payload.error_type') FROM events ORDER BY seq")
    return [str(row[0]) for row in rows]


def test_each_kind_is_told_once_until_delivery_works_again(target: EventEmitter, home: Path) -> None:
    assert [report_failure(target.store, target, AWAY) for _ in range(3)] == [True, False, False]
    assert report_failure(target.store, target, REFUSED)
    assert _errors(home) == ["network", "auth"]
    target.store.transact(
        lambda connection: delivery.remember(connection, **REFUSED.notes(1.0, {}) | {"reported": None})
    )
    assert report_failure(target.store, target, REFUSED)
    assert _errors(home) == ["network", "auth", "auth"]


def test_what_is_no_giving_up_is_not_told(target: EventEmitter, home: Path) -> None:
    for summary in (Summary(), Summary(stopped="deadline"), Summary(stopped="login"), Summary(stopped="stopped")):
        assert not report_failure(target.store, target, summary)
    assert not report_failure(target.store, None, AWAY)
    target.store.transact(lambda connection: None)
    assert _errors(home) == []
