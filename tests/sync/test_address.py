"""Servers' addresses, and certificates to trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittywatch.errors import SyncError
from kittywatch.sync.address import server_url, trust


@pytest.mark.parametrize(
    ("stated", "url"),
    [
        ("https://hub.example.org", "https://hub.example.org"),
        (" https://HUB.example.org:443/ ", "https://hub.example.org"),
        ("https://hub.example.org:8443/kitty/", "https://hub.example.org:8443/kitty"),
        ("http://localhost:8765", "http://localhost:8765"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8765", "http://[::1]:8765"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]"),
    ],
)
def test_one_spelling(stated: str, url: str) -> None:
    assert server_url(stated) == url
    assert server_url(url) == url


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ("http://hub.example.org", "in the clear"),
        ("http://localhost.example.org", "in the clear"),
        ("http://10.0.0.1", "in the clear"),
        ("http://0.0.0.0", "in the clear"),
        ("hub.example.org", "http or https"),
        ("ftp://hub.example.org", "http or https"),
        ("https://", "http or https"),
        ("", "http or https"),
        ("https://hub example.org", "http or https"),
        ("https://hub.example.org/\x1b[2J", "http or https"),
        ("https://mira:secret@hub.example.org", "user name"),
        ("https://hub.example.org/?token=secret", "?"),
        ("https://hub.example.org/#x", "#"),
        ("https://hub.example.org:99999", "not an address"),
        ("https://[::1", "not an address"),
    ],
)
def test_what_is_no_address(stated: str, why: str) -> None:
    """Says why, and never what secret was in it."""
    with pytest.raises(SyncError, match=why.replace("?", r"\?")) as found:
        server_url(stated)
    assert "secret" not in str(found.value) + found.value.remedy


def test_a_file_that_holds_no_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("nothing", encoding="utf-8")
    for path in (bad, tmp_path / "missing"):
        with pytest.raises(SyncError, match=str(path)) as found:
            trust(path)
        assert "PEM" in found.value.remedy
