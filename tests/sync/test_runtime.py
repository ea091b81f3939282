"""The runtime as programs meet it: brought up by the first emitter, out of the way, gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import kittywatch
from kittywatch.store import destinations
from kittywatch.sync import runtime as module
from kittywatch.sync.runtime import SyncRuntime, close_runtime, get_runtime
from tests.hub.hubs import Hub
from tests.store import stores
from tests.sync import delivering
from tests.sync.connected import all_delivered, told
from tests.sync.fault_proxy import FaultProxy, Silence
from tests.waiting import DEADLINE, until

CONFIG = """\
project:
  uuid: "7a4e4b0e-52a6-4c0a-9d7e-0d5f3b1c2a10"
  slug: shop
  node_id: "0123456789ab"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Path]:
    """A project that is the current directory, on the machine `home`; whatever it started ends with the test."""
    root = tmp_path / "project"
    (root / ".kittify").mkdir(parents=True)
    (root / ".kittify" / "config.yaml").write_text(CONFIG)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    monkeypatch.chdir(root)
    monkeypatch.setenv("SPEC_KITTY_HOME", str(home))
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    yield root
    kittywatch.close_emitter()


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("kittywatch")}


def run(program: str, project: Path, home: Path, *, timeout: float = DEADLINE) -> subprocess.CompletedProcess[str]:
    """A program of its own; a process that hangs at its end fails the test."""
    package = Path(kittywatch.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=project,
        env={**os.environ, "SPEC_KITTY_HOME": str(home), "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def test_the_first_emitter_brings_it_up_and_events_go_out(project: Path, home: Path, hub: Hub) -> None:
    delivering.log_in(home, hub)
    assert kittywatch.get_connection_status() == "Offline"
    kittywatch.get_emitter()
    until(lambda: kittywatch.get_connection_status() == "Connected")
    for number in range(5):
        assert kittywatch.emit_wp_status_changed(f"WP{number:02d}", "planned", "doing", feature_slug="001-x")
    all_delivered(home, hub)
    kittywatch.close_emitter()
    assert threads() == set()
    assert kittywatch.get_connection_status() == "Offline"


def test_it_is_one_and_starts_once(project: Path, home: Path, hub: Hub) -> None:
    delivering.log_in(home, hub)
    emitter = kittywatch.get_emitter()
    runtime = get_runtime()
    assert runtime is get_runtime()
    until(lambda: runtime.status == "Connected")
    before = threads()
    for _ in range(5):
        assert runtime.start(runtime._project) if runtime._project else False
        runtime.attach_emitter(emitter)
    assert threads() == before


def test_threads_get_one_runtime(project: Path, home: Path) -> None:
    found: list[SyncRuntime] = []
    callers = [threading.Thread(target=lambda: found.append(get_runtime())) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len({id(runtime) for runtime in found}) == 1


def test_without_a_login_there_is_no_thread_and_a_login_is_noticed(project: Path, home: Path, hub: Hub) -> None:
    assert kittywatch.emit_history_added("WP01", "note", "before", feature_slug="001-x")
    assert threads() == set()
    delivering.log_in(home, hub)
    assert kittywatch.emit_history_added("WP01", "note", "after", feature_slug="001-x")
    until(lambda: kittywatch.get_connection_status() == "Connected")
    all_delivered(home, hub)


def test_auto_start_off_is_respected(project: Path, home: Path, hub: Hub) -> None:
    (project / ".kittify" / "config.yaml").write_text(CONFIG + "sync:\n  auto_start: false\n")
    delivering.log_in(home, hub)
    assert kittywatch.emit_history_added("WP01", "note", "stays", feature_slug="001-x")
    assert threads() == set()
    assert not get_runtime().started
    kittywatch.close_emitter()
    assert delivering.waiting(home) == told(home)


def test_a_short_script_loads_nothing_of_the_network(project: Path, home: Path, hub: Hub) -> None:
    """It is over before the runtime's patience is; the flusher delivers for it."""
    delivering.log_in(home, hub)
    store = stores.emitter(home, stores.unexpected).store
    store.transact(lambda connection: destinations.set_present(connection, hub.url, "cats"))  # as `auth login` does
    store.close()
    program = """
import sys, kittywatch
kittywatch.emit_wp_status_changed("WP01", "planned", "doing", feature_slug="001-x")
print(sorted({"asyncio", "httpx", "websockets", "ssl"} & set(sys.modules)))
"""
    done = run(program, project, home)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    all_delivered(home, hub)


PLAIN = """
import kittywatch
from kittywatch.sync import runtime
from tests.waiting import until
runtime.PATIENCE = 0.0
kittywatch.get_emitter()
until(lambda: kittywatch.get_connection_status() == "Connected")
for number in range(50):
    kittywatch.emit_wp_status_changed(f"WP{number:02d}", "planned", "doing", feature_slug="001-x")
print(kittywatch.get_connection_status())
"""
IN_VAIN = PLAIN.replace('until(lambda: kittywatch.get_connection_status() == "Connected")\n', "")
IN_A_LOOP = f"""
import asyncio
async def main():
    asyncio.get_running_loop()
{"".join(f"    {line}{chr(10)}" for line in PLAIN.splitlines())}
    await asyncio.sleep(0)
asyncio.run(main())
"""


@pytest.mark.parametrize("program", [PLAIN, IN_A_LOOP], ids=["a plain script", "inside a running event loop"])
def test_it_needs_no_event_loop_and_is_in_nobodys_way(project: Path, home: Path, hub: Hub, program: str) -> None:
    """What is told is delivered by the time that the process is gone, with nobody waiting for it."""
    delivering.log_in(home, hub)
    done = run(program, project, home)
    assert (done.stdout, done.stderr) == ("Connected\n", "")
    all_delivered(home, hub)


def test_an_exit_does_not_wait_for_a_silent_server(project: Path, home: Path, hub: Hub) -> None:
    """The server takes the question and says nothing, for ever; the process ends all the same."""
    with FaultProxy(hub.port, plan=lambda path, number: Silence()) as proxy:
        delivering.log_in(home, hub, url=proxy.url)
        done = run(IN_VAIN, project, home, timeout=DEADLINE)
        assert done.stdout == "Offline\n"
        assert proxy.requests
    assert len(delivering.waiting(home)) == 50


def test_an_exit_does_not_wait_for_a_name_server(project: Path, home: Path, hub: Hub) -> None:
    """A lookup that never ends, in the question and in the connection; the process ends all the same."""
    delivering.log_in(home, hub, url="https://hub.example.org")
    stuck = """
import socket, threading
asked = threading.Event()
def lookup(*arguments, **options):
    asked.set()
    threading.Event().wait()
socket.getaddrinfo = lookup
"""
    done = run(f"{stuck}{IN_VAIN}\nprint(asked.wait(120))", project, home, timeout=DEADLINE)
    assert (done.stdout, done.stderr) == ("Offline\nTrue\n", "")


def test_a_forked_child_starts_anew(project: Path, home: Path, hub: Hub) -> None:
    """Neither threads nor locks cross a fork; parent and child both deliver."""
    delivering.log_in(home, hub)
    program = PLAIN.replace(
        "print(",
        """
import os
child = os.fork()
if child == 0:
    assert runtime._runtime is None
    assert kittywatch.get_connection_status() != "Connected"
    kittywatch.emit_history_added("WP01", "note", "from the child", feature_slug="001-x")
    kittywatch.close_emitter()
    os._exit(0)
kittywatch.emit_history_added("WP01", "note", "from the parent", feature_slug="001-x")
_, status = os.waitpid(child, 0)
assert status == 0
print(""",
    )
    unmeasured = "import sys, threading\nsys.settrace(None)\nthreading.settrace(None)\n"  # coverage's locks do cross it
    done = run(unmeasured + program, project, home)
    assert (done.stdout, done.stderr) == ("Connected\n", "")
    all_delivered(home, hub)
    assert len(told(home)) == 52


def test_closing_what_was_never_started() -> None:
    close_runtime()
    close_runtime()
