"""Logins: getting one, keeping it fresh, ending it.

Rules of this module:
- Refresh tokens are good once, so one process refreshes at a time: it holds the file's lock, reads the file again, and
  asks the server only if nobody did so meanwhile.
- What the server says wins over what the file says about time: a 401 refreshes, whatever the clock shows, and no login
  is given up without the server having refused it.
- A refused refresh token ends the login on this machine: the tokens leave the file, what waits stays.
- Tokens go to the server they are of and nowhere else: not into errors, logs, arguments or addresses.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec import Struct

from kittywatch.errors import AuthenticationError, ServerError, UnreachableError
from kittywatch.sync.address import server_url
from kittywatch.sync.clock import SYSTEM, Clock
from kittywatch.sync.credentials import Credentials, CredentialsFile, Remembered, is_token
from kittywatch.sync.http import DEADLINE, Answer, Http
from kittywatch.sync.settings import read_settings
from kittywatch.sync.verdicts import retry_after

LOCAL = "local"
TOKEN = "/api/v1/token/"
REFRESH = "/api/v1/token/refresh/"
WS_TOKEN = "/api/v1/ws-token/"
_EARLY = 30.0  # seconds before its end at which an access token is no longer used; a tenth of a short one's life
_ACCESS_SECONDS, _REFRESH_SECONDS = 900.0, 7 * 86400.0  # where a server doesn't say


class WsToken(Struct, frozen=True):
    """A token that opens one WebSocket, within `expires_in` seconds of now."""

    token: str
    expires_in: float
    url: str

    def __repr__(self) -> str:
        return f"WsToken({self.url!r})"


class AuthClient:
    """The login of a home. Threads and processes may share it; each call may take as long as `deadline` seconds."""

    def __init__(self, home: Path, *, clock: Clock = SYSTEM, deadline: float = DEADLINE) -> None:
        self.home = home
        self.file = CredentialsFile(home)
        self._clock = clock
        self._deadline = deadline

    def login(self, url: str, username: str, password: str) -> Credentials:
        """Log in and keep the tokens. Raises AuthenticationError if the server refuses, SyncError."""
        url = server_url(url)
        answer = self._ask(url, TOKEN, {"username": username, "password": password})
        if answer.status in (400, 401, 403):
            raise AuthenticationError(
                f"{url} doesn't take this user name and password", remedy="try again, or ask who runs the server"
            )
        made = self._credentials(url, username, LOCAL, _successful(url, answer))
        with self.file.changing(seconds=self._deadline, clock=self._clock):
            self.file.write(made)
        return made

    def logout(self) -> Credentials | None:
        """Forget the tokens; returns the login that ended, None if there was none. Raises SyncError."""
        with self.file.changing(seconds=self._deadline, clock=self._clock):
            try:
                ended = self.file.read()
            except AuthenticationError:
                ended = None
            self.file.forget()
        return ended

    def status(self) -> Credentials | None:
        """The login as the file has it, without asking the server. Raises AuthenticationError."""
        return self.file.read()

    def remembered(self) -> Remembered:
        """The server and user of the last login; None for each that isn't known."""
        return self.file.remembered()

    def get_team_slug(self) -> str:
        """The login's team, `local` without one."""
        try:
            found = self.file.read()
        except AuthenticationError:
            return LOCAL
        return found.team_slug if found else LOCAL

    def current(self) -> Credentials:
        """The login, refreshed where its access token is about to end. Raises AuthenticationError, SyncError."""
        found = self._read()
        if self._clock.now() < found.access_expires_at:
            return found
        return self.refresh(found.access)

    def access_token(self) -> str:
        """An access token that is good for a while. Raises AuthenticationError, SyncError."""
        return self.current().access

    def refresh(self, stale: str) -> Credentials:
        """The login after `stale`, an access token that was refused or is about to end.

        Another process may have refreshed it already. Raises AuthenticationError where the login has ended.
        """
        with self.file.changing(seconds=2 * self._deadline, clock=self._clock):
            found = self._read()
            if found.access != stale:
                return found
            answer = self._ask(found.url, REFRESH, {"refresh": found.refresh})
            if answer.status in (400, 401, 403):
                self.file.forget()
                raise AuthenticationError(f"the login at {found.url} has ended")
            fresh = self._credentials(found.url, found.username, found.team_slug, _successful(found.url, answer), found)
            self.file.write(fresh)
            return fresh

    def ws_token(self) -> WsToken:
        """A token that opens one WebSocket; refreshes once where it has to. Raises AuthenticationError, SyncError."""
        login = self.current()
        answer = self._ask(login.url, WS_TOKEN, {}, bearer=login.access)
        if answer.status == 401:
            login = self.refresh(login.access)
            answer = self._ask(login.url, WS_TOKEN, {}, bearer=login.access)
        if answer.status in (401, 403):
            raise AuthenticationError(f"{login.url} doesn't take this login")
        fields = _successful(login.url, answer)
        token = fields.get("ws_token")
        if not is_token(token):
            raise ServerError(f"{login.url} sent no WebSocket token")
        return WsToken(str(token), _number(fields.get("expires_in"), 60.0), login.url)

    def _read(self) -> Credentials:
        found = self.file.read()
        if found is None:
            raise AuthenticationError("nobody is logged in")
        return found

    def _ask(self, url: str, path: str, fields: dict[str, Any], *, bearer: str | None = None) -> Answer:
        with Http(url, settings=read_settings(self.home), deadline=self._deadline) as http:
            return http.post(path, json.dumps(fields).encode(), bearer=bearer)

    def _credentials(
        self, url: str, username: str, team: str, fields: dict[str, Any], last: Credentials | None = None
    ) -> Credentials:
        """The login that an answer gives; its moments are on this machine's clock from now on."""
        access, refresh = fields.get("access"), fields.get("refresh", last.refresh if last else None)
        if not is_token(access) or not is_token(refresh):
            raise ServerError(f"{url} sent no tokens")
        now = self._clock.now()
        lifetime = _number(fields.get("access_lifetime", fields.get("expires_in")), _ACCESS_SECONDS)
        rest = _number(fields.get("refresh_lifetime", fields.get("refresh_expires_in")), _REFRESH_SECONDS)
        stated = fields.get("team_slug")
        return Credentials(
            access=str(access),
            refresh=str(refresh),
            access_expires_at=now + lifetime - min(_EARLY, lifetime / 10),
            refresh_expires_at=now + rest,
            username=username,
            team_slug=stated if isinstance(stated, str) and stated else team,
            url=url,
        )


def _successful(url: str, answer: Answer) -> dict[str, Any]:
    """The fields of an answer; raises for every other status than 200."""
    if answer.status == 200 and isinstance(fields := answer.value, dict):
        return fields
    if answer.status == 429 or answer.status >= 500:
        wait = retry_after(answer.headers, now=SYSTEM.now())
        raise UnreachableError(f"{url} is busy (status {answer.status})", wait=wait, remedy="try again later")
    raise ServerError(f"{url} answers with status {answer.status}, which is not the protocol's")


def _number(value: object, default: float) -> float:
    """Seconds, which some servers send as a string; `default` for what makes no sense."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return default
    return number if 0 < number < 1e10 else default
