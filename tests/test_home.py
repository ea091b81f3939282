"""Where kittywatch keeps its files, and what config.toml there says."""

from __future__ import annotations

import getpass
import hashlib
import socket
from pathlib import Path

import pytest

from kittywatch.home import SyncSettings, home, node_id, sync_settings


def test_the_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEC_KITTY_HOME", "/somewhere/else")
    assert home() == Path("/somewhere/else")
    monkeypatch.setenv("SPEC_KITTY_HOME", "")
    assert home() == own_home / ".spec-kitty"
    monkeypatch.delenv("SPEC_KITTY_HOME")
    assert home() == own_home / ".spec-kitty"


def test_the_node_is_this_machine_and_user() -> None:
    expected = hashlib.sha256(f"{socket.gethostname()}:{getpass.getuser()}".encode()).hexdigest()[:12]
    assert node_id() == expected


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert len(node_id()) == 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, SyncSettings()),
        ("", SyncSettings()),
        ("[sync]\n", SyncSettings()),
        (
            '[sync]\nserver_url = "https://example.org"\ninterval_seconds = 5\nmax_queue_size = 7\n',
            SyncSettings("https://example.org", 5.0, 7),
        ),
        ("[sync]\nserver_url = 5\ninterval_seconds = -1\nmax_queue_size = 0\n", SyncSettings()),
        ('[sync]\ninterval_seconds = "5"\nmax_queue_size = 1.5\n', SyncSettings()),
        ("sync = 5\n", SyncSettings()),
        ("[sync\n", SyncSettings()),
        ("[other]\nx = 1\n", SyncSettings()),
    ],
)
def test_settings(tmp_path: Path, text: str | None, expected: SyncSettings) -> None:
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    assert sync_settings(tmp_path) == expected


def test_settings_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    assert sync_settings(tmp_path) == SyncSettings()
