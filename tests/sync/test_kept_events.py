"""Events that an older server can't hold wait, and nobody tries in vain to deliver them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from kittywatch.emit.drafts import manual_draft
from kittywatch.emit.emitter import EventEmitter
from kittywatch.events import HistoryEntry
from kittywatch.store import delivery
from kittywatch.sync import features
from kittywatch.sync.batch import batch_sync
from kittywatch.sync.flusher import is_due
from tests.store import stores
from tests.sync import delivering
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import Fault, FaultProxy, answer_json


def queue(target: EventEmitter, wp_id: str) -> None:
    note = HistoryEntry(wp_id=wp_id, entry_type="note", entry_content="x", author="mira", feature_slug=stores.FEATURE)
    draft = manual_draft(note, (wp_id, "WorkPackage"), target.context, datetime.now(UTC), None)
    target.transact(lambda unit: unit.enqueue([draft]))


def test_what_is_kept_starts_no_flusher(home: Path, target: EventEmitter) -> None:
    def plan(path: str, number: int) -> Fault:
        if path == features.PATH:
            return answer_json(404, {})
        events = json.loads(gzip.decompress(proxy.bodies[number]))["events"]
        results = [{"event_id": one["event_id"], "status": "success"} for one in events]
        return answer_json(200, {"results": results}, X_RateLimit_Batch_Interval="0")

    with FaultProxy(0, plan) as proxy:
        auth = delivering.pretend_login(home, proxy.url)
        queue(target, "T-100")
        assert batch_sync(target.store, auth, clock=FastClock()).batches == 0
        assert len(delivering.waiting(home)) == 1
        assert not is_due(target.store), "a flusher would be started for ever"
        queue(target, "WP01")
        assert is_due(target.store), "what is kept holds up what isn't"
        assert batch_sync(target.store, auth, clock=FastClock()).delivered == 1
        assert not is_due(target.store)
        target.store.transact(features.forget)  # as a login does
        assert is_due(target.store), "nobody would ask the server again"
    assert target.store.read(lambda connection: delivery.waiting(connection, None)).dead == 0
