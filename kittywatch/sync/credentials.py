"""The credentials file: TOML, mode 0600, replaced in one step; whoever changes it holds `credentials.lock`.

The field's own client keeps the same file. Its moments are this machine's clock at receipt plus the lifetime that the
server gave, so the server's clock doesn't matter. They are hints: what the server answers always wins.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from kittywatch.errors import AuthenticationError, SyncError, UnreachableError
from kittywatch.store.files import replace_file
from kittywatch.store.lock import locked
from kittywatch.sync.address import server_url
from kittywatch.sync.clock import SYSTEM, Clock

NAME = "credentials"
MAX_BYTES = 1 << 18
_TOKEN = re.compile(r"[!-~]{1,16384}\Z")  # what can stand in a header


class Credentials(Struct, frozen=True):
    """A login. Moments are seconds since 1970 on this machine's clock."""

    access: str
    refresh: str
    access_expires_at: float
    refresh_expires_at: float
    username: str
    team_slug: str
    url: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, {self.team_slug!r}, {self.url!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("username", self.username), ("team_slug", self.team_slug), ("url", self.url)]


class Remembered(Struct, frozen=True):
    """The rest of a login that ended: its server and user, None for each that isn't known."""

    url: str | None = None
    username: str | None = None


class CredentialsFile:
    """The file in a home. Reading needs no lock; `changing` does."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME

    def read(self) -> Credentials | None:
        """Read the login; None without one. Raises AuthenticationError for a file that can't be read."""
        _tighten(self.path)
        fields = self._fields()
        tokens, user, server = (_section(fields, name) for name in ("tokens", "user", "server"))
        access, refresh = tokens.get("access"), tokens.get("refresh")
        url, username, team = server.get("url"), user.get("username"), user.get("team_slug")
        if not is_token(access) or not is_token(refresh) or not isinstance(url, str):
            return None
        try:
            url = server_url(url)
        except SyncError as error:
            raise AuthenticationError(f"{self.path}: {error}") from None
        return Credentials(
            access=str(access),
            refresh=str(refresh),
            access_expires_at=_seconds(tokens.get("access_expires_at")),
            refresh_expires_at=_seconds(tokens.get("refresh_expires_at")),
            username=username if isinstance(username, str) else "",
            team_slug=team if isinstance(team, str) and team else "local",
            url=url,
        )

    def remembered(self) -> Remembered:
        """The server and user of the last login; None for each that the file doesn't state."""
        try:
            fields = self._fields()
        except AuthenticationError:
            return Remembered()
        url, username = _section(fields, "server").get("url"), _section(fields, "user").get("username")
        return Remembered(url if isinstance(url, str) else None, username if isinstance(username, str) else None)

    def write(self, credentials: Credentials) -> None:
        """Replace the file; raises SyncError. The caller holds the lock."""
        self._replace(
            {
                "tokens": {
                    "access": credentials.access,
                    "refresh": credentials.refresh,
                    "access_expires_at": _moment(credentials.access_expires_at),
                    "refresh_expires_at": _moment(credentials.refresh_expires_at),
                },
                "user": {"username": credentials.username, "team_slug": credentials.team_slug},
                "server": {"url": credentials.url},
            }
        )

    def forget(self) -> None:
        """Remove the tokens; server and user stay. Raises SyncError. The caller holds the lock."""
        last = self.remembered()
        if not self.path.exists():
            return
        fields: dict[str, Any] = {}
        if last.username:
            fields["user"] = {"username": last.username}
        if last.url:
            fields["server"] = {"url": last.url}
        self._replace(fields)

    @contextlib.contextmanager
    def changing(self, *, seconds: float, clock: Clock = SYSTEM) -> Iterator[None]:
        """Hold the lock; raises UnreachableError if another process has it for longer than `seconds`."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SyncError(f"{self.path.parent}: {error.strerror}", remedy="make it writable") from None
        with contextlib.ExitStack() as held:
            self._acquire(held, seconds, clock)
            yield

    def _acquire(self, held: contextlib.ExitStack, seconds: float, clock: Clock) -> None:
        path = self.path.with_name(f"{NAME}.lock")
        end = clock.monotonic() + seconds
        pause = 0.002
        while True:
            attempt = contextlib.ExitStack()
            try:
                if attempt.enter_context(locked(path, wait=False)):
                    held.push(attempt)
                    return
            except OSError as error:
                raise SyncError(f"{path}: {error.strerror}", remedy="make its directory writable") from None
            attempt.close()
            if clock.monotonic() >= end:
                raise UnreachableError(
                    f"{path} has been held by another process for {seconds:g} s",
                    remedy="end the process that hangs, or try again",
                )
            clock.wait(pause)
            pause = min(pause * 2, 0.1)

    def _fields(self) -> dict[str, Any]:
        try:
            with open(self.path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise AuthenticationError(f"{self.path}: {error.strerror}", remedy="make the file readable") from None
        try:
            if len(data) > MAX_BYTES:
                raise ValueError
            return tomllib.loads(data.decode())
        except (ValueError, RecursionError):
            # No cause: what a parser says may quote the line, and so a token.
            raise AuthenticationError(f"{self.path} can't be read as TOML") from None

    def _replace(self, fields: dict[str, Any]) -> None:
        import tomli_w

        try:
            replace_file(self.path, tomli_w.dumps(fields).encode())
        except OSError as error:
            raise SyncError(
                f"{self.path}: {error.strerror}", remedy=f"make {self.path.parent} writable, or set SPEC_KITTY_HOME"
            ) from None


def is_token(value: object) -> bool:
    """Tell whether a value can be a token: what may stand in a header, and nothing that ends one."""
    return isinstance(value, str) and _TOKEN.match(value) is not None


def _section(fields: dict[str, Any], name: str) -> dict[str, Any]:
    section = fields.get(name)
    return section if isinstance(section, dict) else {}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _seconds(value: object) -> float:
    """A moment as seconds since 1970; 0 for what is none, so that it counts as past."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0.0
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    return float(value) if isinstance(value, (int, float)) else 0.0


def _tighten(path: Path) -> None:
    """Take away everybody else's right to read a file."""
    if os.name != "nt":  # pragma: no branch - Windows has no such modes
        with contextlib.suppress(OSError):
            mode = path.stat().st_mode & 0o777
            if mode & 0o077:
                path.chmod(0o600)
