"""The settings of delivery in `config.toml`, besides what every command reads of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from msgspec import Struct

from kittywatch.home import sync_settings


class SyncSettings(Struct, frozen=True):
    """`server_url` is where a login goes by default, `ca_file` a further authority to trust."""

    server_url: str | None
    interval_seconds: float
    ca_file: Path | None = None


def read_settings(home: Path) -> SyncSettings:
    """Read `[sync]` of config.toml in a home; defaults for what is missing or invalid."""
    general = sync_settings(home)
    return SyncSettings(general.server_url, general.interval_seconds, _ca_file(home))


def _ca_file(home: Path) -> Path | None:
    try:
        section = tomllib.loads((home / "config.toml").read_text("utf-8")).get("sync", {})
        stated = section.get("ca_file")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return home / Path(stated).expanduser() if isinstance(stated, str) and stated else None
