"""Neither tokens nor passwords stand anywhere but in the credentials file and in the requests to their server."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from kittywatch.emit.emitter import EventEmitter
from kittywatch.sync.batch import batch_sync
from tests.hub.hubs import PASSWORD, Hub
from tests.store import stores
from tests.sync import delivering
from tests.sync.delivering import FastClock
from tests.sync.fault_proxy import Cut, Fault, FaultProxy, Noise, Say, answer_json
from tests.sync.terminal import at_terminal

_FAULTS: list[Fault] = [Cut(), Noise(), Say(500, b"x"), Say(404), Say(302), answer_json(401, {}), answer_json(403, {})]


def secrets(home: Path) -> list[str]:
    """What must not be seen: the tokens of a home, and the parts of them that say something; the password."""
    text = (home / "credentials").read_text("utf-8")
    tokens = [line.split('"')[1] for line in text.splitlines() if line.startswith(("access =", "refresh ="))]
    return [PASSWORD, *tokens, *(part for token in tokens for part in token.split(".") if len(part) > 30)]


def kittywatch(home: Path, *arguments: str, given: str = "") -> str:
    """Everything that a command says, with -v and every logger at its loudest."""
    program = (
        "import logging, sys; logging.basicConfig(level=0);"
        "from kittywatch.cli.main import main; sys.argv[0] = 'kittywatch'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "-v", *arguments],
        cwd=stores.ROOT,
        env=os.environ | {"SPEC_KITTY_HOME": str(home), "PYTHONASYNCIODEBUG": "1", "KITTYWATCH": "0"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("fault", _FAULTS, ids=repr)
def test_nothing_that_goes_wrong_shows_them(
    target: EventEmitter, home: Path, hub: Hub, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither an error's text nor its causes, nor what httpx, asyncio or we log at the loudest."""
    delivering.queue(target, 2)
    caplog.set_level(logging.NOTSET)
    with FaultProxy(hub.port, lambda path, number: fault) as proxy:
        auth = delivering.log_in(home, hub, url=proxy.url)
        hidden = secrets(home)
        summary = batch_sync(target.store, auth, clock=FastClock(), attempts=2)
        said = [repr(summary), caplog.text, repr(auth.status())]
        for call in (
            auth.ws_token,
            lambda: auth.refresh(auth.access_token()),
            lambda: auth.login(proxy.url, "m", PASSWORD),
        ):
            try:
                call()
            except Exception as error:
                said.append("".join(traceback.format_exception(error)))
        assert all(b"?" not in head.split(b"\r\n")[0] for head in proxy.heads)
    kept = "".join(str(row) for table in ("queue", "events", "delivery", "recipients") for row in _all(home, table))
    for secret in hidden:
        assert secret not in "".join(said) + caplog.text + kept


def _all(home: Path, table: str) -> list[tuple[object, ...]]:
    return stores.rows(home, f"SELECT * FROM {table}")


def test_no_command_shows_them(target: EventEmitter, home: Path, hub: Hub) -> None:
    delivering.queue(target, 3)
    commands = [["auth", "status"], ["auth", "status", "--json"], ["sync", "status"], ["sync", "now", "--dry-run"]]
    said = kittywatch(
        home, "auth", "login", "--server", hub.url, "--username", "mira", "--password-stdin", given=PASSWORD
    )
    assert "logged in" in said
    said += "".join(kittywatch(home, *command) for command in [*commands, ["sync", "now"]])
    assert "3 delivered" in said
    hidden = secrets(home)
    hub.change_user("mira", logins="end")
    delivering.queue(target, 1, text="more")
    said += kittywatch(home, "sync", "now")
    assert "has ended" in said
    said += kittywatch(home, "auth", "logout")
    assert len(hidden) > 3
    for secret in hidden:
        assert secret not in said


def test_a_bug_report_has_none(home: Path, hub: Hub, target: EventEmitter) -> None:
    """The trace shows lines of code, never values."""
    delivering.queue(target, 1)
    delivering.log_in(home, hub)
    program = (
        "import sys; from kittywatch.cli.main import main; from kittywatch.sync import http\n"
        "def broken(self, *given, **named): raise RuntimeError(repr((given, named)))\n"
        "http.Http.post = broken; sys.argv[0] = 'kittywatch'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "-v", "sync", "now"],
        cwd=stores.ROOT,
        env=os.environ | {"SPEC_KITTY_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    (report,) = home.glob("kittywatch-bug-*")
    said = report.read_text("utf-8") + done.stdout + done.stderr
    assert "RuntimeError" in said
    for secret in secrets(home):
        assert secret not in said


def test_the_password_is_asked_for_without_an_echo_and_stands_in_no_argument(home: Path, hub: Hub) -> None:
    """At a terminal: what is typed is not shown, and the process list shows no secret."""
    command = [sys.executable, "-m", "kittywatch.cli.main", "auth", "login", "--server", hub.url, "--username", "mira"]
    code, shown, listed = at_terminal(command, home, {"Password": PASSWORD})
    assert code == 0, shown
    assert "logged in at" in shown
    assert PASSWORD not in shown
    assert PASSWORD.encode() not in listed
