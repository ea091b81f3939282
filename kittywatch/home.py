"""Where kittywatch keeps its own files: $SPEC_KITTY_HOME, by default ~/.spec-kitty, and what config.toml there says."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from kittywatch.errors import StoreError
from kittywatch.startup.digests import sha256

DEFAULT_MAX_QUEUE = 10_000
DEFAULT_INTERVAL_SECONDS = 300.0


def home() -> Path:
    """The directory; it may not exist yet. Raises StoreError for a user who has no home, as in some containers."""
    stated = os.environ.get("SPEC_KITTY_HOME")
    if stated:
        return Path(stated)
    directory = os.path.expanduser("~")
    if not os.path.isabs(directory):
        raise StoreError("this user has no home directory", remedy="set SPEC_KITTY_HOME to a directory of yours")
    return Path(directory) / ".spec-kitty"


def node_id() -> str:
    """This machine and user: the first 12 hex digits of SHA-256 of `hostname:username`."""
    import getpass

    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return sha256(f"{_hostname()}:{user}".encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _hostname() -> str:
    """As socket.gethostname, whose module takes longer to load than the system call."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket

    return socket.gethostname()


class SyncSettings(Struct, frozen=True):
    """The `[sync]` of config.toml. No event is ever dropped at `max_queue_size`; commands warn past it."""

    server_url: str | None = None
    interval_seconds: float = DEFAULT_INTERVAL_SECONDS
    max_queue_size: int = DEFAULT_MAX_QUEUE


def sync_settings(directory: Path) -> SyncSettings:
    """What `config.toml` in a home says; defaults for what is missing or makes no sense."""
    try:
        text = (directory / "config.toml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return SyncSettings()
    import tomllib

    try:
        fields = tomllib.loads(text).get("sync", {})
    except (tomllib.TOMLDecodeError, AttributeError):
        return SyncSettings()
    if not isinstance(fields, dict):
        return SyncSettings()
    url, interval, size = (fields.get(key) for key in ("server_url", "interval_seconds", "max_queue_size"))
    return SyncSettings(
        url if isinstance(url, str) else None,
        float(interval) if isinstance(interval, (int, float)) and interval > 0 else DEFAULT_INTERVAL_SECONDS,
        size if isinstance(size, int) and size > 0 else DEFAULT_MAX_QUEUE,
    )
