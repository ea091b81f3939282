"""Two replicas on one PostgreSQL between honest, slow and hostile clients, while the database fails in every way.

No honest event is lost, refused or doubled; the processes live, answer, stay within their memory; in the end every
queue is empty without anybody's help. `KITTYWATCH_CAMPAIGN=<minutes>` sets how long; in CI it is well under a minute.
"""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from kittywatch.emit.emitter import EventEmitter
from kittywatch.hub import projections
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.schema import events, teams
from kittywatch.sync.session import KeepAlive
from tests.hub import honest, outages
from tests.hub.clusters import Cluster, create_database, frozen, running_cluster
from tests.hub.fuzzing import in_a_process
from tests.hub.honest import Account
from tests.hub.hostile import Attacker
from tests.hub.hubs import Hub, populate
from tests.selection import CAMPAIGN
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import living, told
from tests.waiting import until

SECONDS = CAMPAIGN * 60 or 25.0
CLIENTS = 100 if CAMPAIGN else 20
MACHINES = 6 if CAMPAIGN else 2
PAUSE = 4.0 if CAMPAIGN else 1.0
MEGABYTES = 512


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.stop()
    yield
    cluster.start()


@dataclass
class Watch:
    """What /healthz said throughout, and the most memory that each replica had."""

    hubs: list[Hub]
    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        ports = [str(hub.port) for hub in self.hubs]
        command = [sys.executable, "-m", "tests.hub.watching", *ports]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watching:
            over.wait()
            out, _ = watching.communicate("")
        for status, seconds in json.loads(out):
            self.answers[status] += 1
            self.seconds.append(seconds)

    def peaks(self) -> list[int]:
        found = []
        for hub in self.hubs:
            assert hub.process is not None
            assert hub.process.poll() is None, "it ended"
            status = Path(f"/proc/{hub.process.pid}/status").read_text(encoding="utf-8")
            found.append(int(status.split("VmHWM:")[1].split()[0]) >> 10)
        return found


class Stage:
    """Everything that runs beside the honest clients; a failure in a thread is kept for the end."""

    def __init__(self, hubs: list[Hub], cluster: Cluster) -> None:
        self.hubs = hubs
        self.cluster = cluster
        self.over = threading.Event()
        self.watch = Watch(hubs)
        self.attacker = Attacker(
            [hub.url for hub in hubs], honest.logins(hubs[0].database, "rex", 3), hubs[0].database, self.over
        )
        self.fuzzed: Counter[int] = Counter()
        self.outages: Counter[str] = Counter()
        self.failures: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        watching_ends = threading.Event()
        works: list[Callable[[], object]] = [self.attacker.run, self.attacker.run, self._fuzz, self._break]
        threads = [threading.Thread(target=self._kept, args=(work,)) for work in works]
        watching = threading.Thread(target=self._kept, args=(lambda: self.watch.run(watching_ends),))
        for thread in (*threads, watching):
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
            watching_ends.set()
            watching.join()

    def _kept(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            self.failures.append(error)

    def _fuzz(self) -> None:
        hub = self.hubs[-1]
        access = honest.logins(hub.database, "rex", 1)[0]
        cookie = hub.open_login("rex", kind="browser").secret
        while not self.over.is_set():
            self.fuzzed += in_a_process(hub.url, access=access, cookie=cookie, examples=25)

    def _break(self) -> None:
        ways: list[tuple[str, Callable[[], Any]]] = [
            (way.__name__, functools.partial(way, self.hubs[0])) for way in outages.OUTAGES
        ]
        ways += [("stopped", lambda: stopped(self.cluster)), ("frozen", lambda: frozen(self.cluster.address))]
        number = 0
        while not self.over.wait(2.0 if not CAMPAIGN else 8.0):
            name, way = ways[number % len(ways)]
            with way():
                self.over.wait(1.5 if not CAMPAIGN else 6.0)
            self.outages[name] += 1
            number += 1


@contextmanager
def machines(hubs: list[Hub], directory: Path) -> Iterator[list[EventEmitter]]:
    """Real clients, each with a queue, a login and a live delivery of its own."""
    with ExitStack() as stack:
        emitters = []
        for number in range(MACHINES):
            home = directory / f"machine{number}"
            home.mkdir(mode=0o700)
            (home / "config.toml").write_text("[sync]\ninterval_seconds = 5\n", encoding="utf-8")
            delivering.log_in(home, hubs[number % len(hubs)], lifetime=86400)
            emitters.append(stores.emitter(home, lambda message: None))
            stack.callback(emitters[-1].store.close)
            stack.enter_context(living(home, keep_alive=KeepAlive()))
        yield emitters


async def everybody(hubs: list[Hub], emitters: list[EventEmitter], stage: Stage) -> Account:
    """The honest clients and the machines, for SECONDS; then until everything has been taken."""
    over = asyncio.Event()
    access = honest.logins(hubs[0].database, "mira", CLIENTS)
    clients = asyncio.create_task(honest.all_of_them([hub.url for hub in hubs], access, over, pause=PAUSE))
    end = time.monotonic() + SECONDS
    number = 0
    with stage.running():
        while time.monotonic() < end and not stage.failures and not clients.done():
            number += 1
            for emitter in emitters:
                await asyncio.to_thread(stores.note, emitter, f"note {number}")
            await asyncio.sleep(PAUSE / 2)
    over.set()
    return await clients


@pytest.mark.long
def test_no_honest_event_is_lost_refused_or_doubled(tmp_path: Path) -> None:
    with running_cluster() as cluster:
        database = create_database(cluster.address, "hub")
        populate(database, teams={"cats": ["mira", "tom"], "dogs": ["rex"]})
        hubs = [Hub(database=database, log=tmp_path / f"hub{number}.log").start() for number in range(2)]
        stage = Stage(hubs, cluster)
        try:
            with machines(hubs, tmp_path) as emitters:
                account = asyncio.run(everybody(hubs, emitters, stage))
                homes = [emitter.store.directory for emitter in emitters]
                until(
                    lambda: not any(delivering.waiting(home) for home in homes),
                    what=lambda: f"empty queues: {[len(delivering.waiting(home)) for home in homes]}",
                )
            report(stage, account)
            judge(stage, account, homes, database)
        finally:
            for hub in hubs:
                hub.stop()


def report(stage: Stage, account: Account) -> None:
    """The figures, for whoever runs it with -s."""
    seconds = sorted(stage.watch.seconds)
    figures = {
        "honest": {"taken": len(account.taken), "results": account.statuses, "again": account.again},
        "healthz": {
            "answers": stage.watch.answers,
            "median": seconds[len(seconds) // 2],
            "99 %": seconds[len(seconds) * 99 // 100],
            "longest": seconds[-1],
        },
        "memory, MB": stage.watch.peaks(),
        "outages": stage.outages,
        "attacks": stage.attacker.done,
        "fuzzed, by status": stage.fuzzed,
    }
    print(json.dumps(figures, indent=1))


def judge(stage: Stage, account: Account, homes: list[Path], database: str) -> None:
    if stage.failures:
        raise stage.failures[0]
    assert set(account.statuses) <= {"success", "duplicate"}
    assert set(stage.watch.answers) == {"200 OK"}
    assert max(stage.watch.peaks()) < MEGABYTES
    engine = open_engine(database)
    with reading(engine) as connection:
        cats = connection.execute(select(teams.c.id).where(teams.c.slug == "cats")).scalar_one()
        there = Counter(connection.execute(select(events.c.event_id).where(events.c.team_id == cats)).scalars())
    assert set(there.values()) == {1}
    of_machines = {event_id for home in homes for event_id in told(home)}
    assert set(there) == set(account.taken) | of_machines
    for home in homes:
        assert stores.rows(home, "SELECT count(*) FROM events WHERE delivered_at IS NULL") == [(0,)]
    with writing(engine) as connection:
        before = connection.execute(text("SELECT * FROM work_packages ORDER BY 1, 2, 3, 4")).all()
        projections.rebuild(connection, cats)
        assert connection.execute(text("SELECT * FROM work_packages ORDER BY 1, 2, 3, 4")).all() == before
    engine.dispose()
    for hub in stage.hubs:
        assert "Traceback" not in hub.output()
