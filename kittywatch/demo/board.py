"""The demonstration's hub: a server process, one user, a way for the browser past the sign-in, and what arrived."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from kittywatch.demo.scratch import Lines, Scratch, program, wait_for
from kittywatch.errors import DemoError
from kittywatch.hub import accounts, export, migrations, sessions
from kittywatch.hub.database import open_engine, reading, writing

TEAM, USER = "demo", "kit"
_STARTING_SECONDS = 30.0


class Board:
    """A hub on a free port of this machine, with its database in the scratch directory."""

    def __init__(self, scratch: Scratch) -> None:
        self._database = f"sqlite:///{(scratch.root / 'hub.db').as_posix()}"
        self._engine = open_engine(self._database)
        self.password = secrets.token_urlsafe(12)
        migrations.migrate(self._engine)
        with writing(self._engine) as connection:
            self._team = accounts.add_team(connection, TEAM)
            accounts.add_user(connection, USER, team=self._team, password=self.password, must_change=False)
        self.url = self._serve(scratch)
        self._door: HTTPServer | None = None

    def close(self) -> None:
        if self._door is not None:
            self._door.shutdown()
            self._door.server_close()
        self._engine.dispose()

    def taken(self) -> dict[str, dict[str, str]]:
        """The transitions that the hub has, by their event ids."""
        with reading(self._engine) as connection:
            events = [json.loads(line) for line in export.lines(connection, self._team.id)]
        return {one["event_id"]: one["payload"] for one in events if one["event_type"] == "WPStatusChanged"}

    def door(self) -> str:
        """An address that takes one browser to the board, signed in; it works once.

        Browsers keep cookies by host, whatever the port: this little server sets the hub's, and sends on to it.
        """
        with writing(self._engine) as connection:
            opened = sessions.open_session(connection, accounts.user_named(connection, USER), kind="browser")
        path, target, left = f"/{secrets.token_urlsafe(16)}", self.url, [opened.secret]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != path or not left:
                    self.send_error(404)
                    return
                self.send_response(303)
                self.send_header("Set-Cookie", f"kittywatch={left.pop()}; Path=/; HttpOnly; SameSite=Lax")
                self.send_header("Location", target)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing: the path is a secret."""

        self._door = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._door.serve_forever, name="demo-door", daemon=True).start()
        return f"http://127.0.0.1:{self._door.server_address[1]}{path}"

    def _serve(self, scratch: Scratch) -> str:
        serve = ["hub", "serve", "--port", "0", "--database", self._database]
        process = scratch.start([*program("kittywatch.cli.main"), *serve], where=scratch.root)
        said: list[str] = []
        Lines(process, said.append)
        wait_for(
            lambda: process.poll() is not None or any(line.startswith("Board: ") for line in said),
            "the hub",
            seconds=_STARTING_SECONDS,
        )
        address = next((line.removeprefix("Board: ") for line in said if line.startswith("Board: ")), None)
        if address is None:
            raise DemoError("the hub", said[-1:] or ["it ended at once"])
        return address.rstrip("/")
