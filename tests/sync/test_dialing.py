"""Opening WebSockets to real servers: certificates, proxies, IPv6, and where the token is seen."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from kittywatch.errors import SyncError, UnreachableError
from kittywatch.sync.address import trust
from kittywatch.sync.dialing import dial, limit_sending, websocket_url
from kittywatch.sync.session import KeepAlive
from tests.hub.conftest import sqlite_database, start_hub
from tests.hub.hubs import Hub, Machine
from tests.sync import delivering
from tests.sync.connected import connected, living
from tests.waiting import DEADLINE, until

__all__ = ["sqlite_database", "start_hub"]


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The file of the authority that `secure_hub` has its certificate from."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "hub.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def secure_hub(start_hub: Callable[..., Hub], sqlite_database: str, authority: Path) -> Hub:
    pem = str(authority.with_name("hub.pem"))
    hub = start_hub(sqlite_database, "--tls-cert", pem, "--tls-key", pem, "--host", "127.0.0.1")
    hub.url = f"https://localhost:{hub.port}"
    return hub


class _Connect(socketserver.BaseRequestHandler):
    """One CONNECT of a proxy."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        server = self.server
        assert isinstance(server, Proxy)
        server.heads.append(head)
        host, port = head.split(b" ")[1].decode().rsplit(":", 1)
        with socket.create_connection((host, int(port))) as there:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.request: there, there: self.request}
            with contextlib.suppress(OSError):
                while readable := select.select(list(ends), [], [], 30)[0]:
                    for one in readable:
                        data = one.recv(1 << 16)
                        if not data:
                            return
                        ends[one].sendall(data)


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that notes what it is asked."""

    heads: list[bytes]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that the environment names."""
    with Proxy(("127.0.0.1", 0), _Connect) as server:
        server.heads = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        yield server
        server.shutdown()
        thread.join()


def test_an_authority_of_the_users_own(home: Path, secure_hub: Hub, authority: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f'[sync]\nca_file = "{authority}"\n')
    delivering.log_in(home, secure_hub)
    with living(home) as (session, _):
        connected(session)


def test_a_certificate_that_nobody_trusts(home: Path, secure_hub: Hub) -> None:
    """It is said once, however often it is tried."""
    with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
        dial(secure_hub.url, "token")
    delivering.log_in(home, secure_hub)
    with living(home, keep_alive=KeepAlive(roll=lambda: -1.0)) as (session, said):
        until(lambda: session.status == "OfflineBatchMode")
    (warning,) = said.warnings
    assert "has a certificate that isn't trusted" in warning


def test_https_goes_through_the_proxy_of_the_environment(secure_hub: Hub, authority: Path, proxy: Proxy) -> None:
    opened = secure_hub.open_login("mira")
    with Machine(secure_hub.url, secure_hub.access_token(opened), verify=trust(authority)) as machine:
        token = machine.ws_token()
    connection = dial(secure_hub.url, token, authority=authority)
    assert "snapshot" in str(connection.recv(timeout=DEADLINE))
    connection.close()
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT localhost:{secure_hub.port} ".encode())
    assert token.encode() not in head


def test_plain_http_goes_through_none(hub: Hub, proxy: Proxy) -> None:
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        connection = dial(hub.url, machine.ws_token())
    connection.close()
    assert proxy.heads == []


def test_ipv6(start_hub: Callable[..., Hub], sqlite_database: str) -> None:
    hub = start_hub(sqlite_database, "--host", "::1")
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        connection = dial(hub.url, machine.ws_token())
    assert "snapshot" in str(connection.recv(timeout=DEADLINE))
    connection.close()


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/ws/v1/events/"),
        ("http://[::1]:8765/", "ws://[::1]:8765/ws/v1/events/"),
        ("https://hub.example.org/kitty/", "wss://hub.example.org/kitty/ws/v1/events/"),
    ],
)
def test_addresses(base: str, url: str) -> None:
    assert websocket_url(base) == url


@pytest.mark.parametrize("base", ["http://hub.example.org", "ftp://127.0.0.1", "https://me:pw@hub.example.org", ""])
def test_addresses_that_get_no_token(base: str) -> None:
    with pytest.raises(SyncError) as caught:
        websocket_url(base)
    assert "pw" not in str(caught.value)


def test_the_token_is_in_no_log_and_no_error(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
        token = machine.ws_token()
    dial(hub.url, token).close()
    with pytest.raises(UnreachableError) as caught:
        dial(hub.url, token)  # it was good once
    assert "HTTP 401" in str(caught.value)
    assert token not in caplog.text + repr(caught.value) + str(caught.value.__cause__)


def test_a_send_that_makes_no_progress_ends() -> None:
    """The other side reads nothing, for ever; without the deadline this would hang."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sender:
        limit_sending(sender, 0.2)
        with pytest.raises(BlockingIOError):
            sender.sendall(b"x" * (64 << 20))
