"""One question and its answer, over real sockets: deadlines, sizes, certificates, proxies."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from kittywatch.errors import ServerError, SyncError, UnreachableError
from kittywatch.sync.http import MAX_ANSWER_BYTES, Http
from kittywatch.sync.settings import SyncSettings, read_settings
from tests.sync.fault_proxy import Cut, Drip, Fault, FaultProxy, Noise, Say, Silence

SHORT = 0.4


@contextlib.contextmanager
def serving(fault: Fault) -> Iterator[FaultProxy]:
    """A server that does one thing to every request."""
    with FaultProxy(0, lambda path, number: fault) as server:
        yield server


def ask(url: str, **options: object) -> int:
    with Http(url, deadline=SHORT) as http:
        return http.post("/api/v1/token/", b"{}").status


@pytest.mark.parametrize(
    "fault", [Silence(), Drip(0.1), Drip(0.1, body_only=True)], ids=["silence", "slow head", "slow body"]
)
def test_nothing_outlasts_the_deadline(fault: Fault) -> None:
    """The proxy would keep the connection for ten minutes; that this ends is the proof."""
    late = pytest.raises(UnreachableError, match="didn't answer within")
    with serving(Say(200, b"x" * 5000)) as inner, FaultProxy(inner.port, lambda path, number: fault) as server, late:
        ask(server.url)


def test_a_server_that_accepts_and_then_does_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(UnreachableError, match="within"):
        ask(f"http://127.0.0.1:{listener.getsockname()[1]}")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"http://127.0.0.1:{port} can't be reached"):
        ask(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("fault", [Cut(), Noise(), Noise(b"HTTP/1.1 OK\r\n\r\n"), Noise(b"")])
def test_a_connection_that_breaks(fault: Fault) -> None:
    with serving(fault) as server, pytest.raises(UnreachableError, match="broke"):
        ask(server.url)


def test_after_a_failure_the_next_question_is_answered() -> None:
    plan: Iterator[Fault] = iter([Cut(), Say(200), Noise(), Silence(), Say(503), Say(200)])
    with FaultProxy(0, lambda path, number: next(plan)) as server, Http(server.url, deadline=SHORT) as http:
        said: list[object] = []
        for _ in range(6):
            try:
                said.append(http.post("/", b"").status)
            except UnreachableError:
                said.append(None)
    assert said == [None, 200, None, None, 503, 200]


def test_an_answer_that_is_too_long() -> None:
    refused = pytest.raises(ServerError, match="can't be decoded")
    with serving(Say(200, bytes(MAX_ANSWER_BYTES + 1))) as server, Http(server.url) as http, refused:
        http.post("/", b"")


def test_an_answer_that_is_compressed_all_the_same() -> None:
    refused = pytest.raises(ServerError, match="can't be decoded")
    with serving(Say(200, b"\x1f\x8b", (("Content-Encoding", "gzip"),))) as server, refused:
        ask(server.url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with serving(Say(200)) as elsewhere:
        with serving(Say(status, headers=(("Location", f"{elsewhere.url}/stolen"),))) as server:
            assert ask(server.url) == status
        assert elsewhere.requests == []


def test_plain_http_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is for this machine alone; a proxy would see the token."""
    with serving(Say(200)) as server, serving(Say(418)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert ask(server.url) == 200
        assert proxy.requests == []


def test_https_goes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Say(407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(UnreachableError, match="proxy"):
            ask("https://hub.example.org")
        assert [path for path, _ in proxy.requests] == ["hub.example.org:443"]
        monkeypatch.setenv("HTTPS_PROXY", "nonsense://x")
        with pytest.raises(SyncError, match="proxy's address"):
            ask("https://hub.example.org")


def test_ipv6() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:  # a machine without IPv6: then the address is one that can't be reached, and no mistake
        with pytest.raises(UnreachableError, match=r"http://\[::1\]:9 "):
            ask("http://[::1]:9")
        return
    with listener:
        thread = threading.Thread(target=_answer_once, args=(listener,))
        thread.start()
        assert ask(f"http://[::1]:{listener.getsockname()[1]}") == 204
        thread.join()


def _answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a TLS server, and the file with the authority that its certificate is from."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1 << 16)
                    tls.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://localhost:{listener.getsockname()[1]}", tmp_path / "ca.pem"
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_certificate_must_be_trusted(
    secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the system, by SSL_CERT_FILE or SSL_CERT_DIR, or by `ca_file` of config.toml."""
    url, authority = secure
    monkeypatch.setenv("NO_PROXY", "*")
    with Http(url) as http, pytest.raises(ServerError, match="isn't trusted") as found:
        http.post("/", b"")
    assert "SSL_CERT_FILE" in found.value.remedy
    (tmp_path / "config.toml").write_text('[sync]\nca_file = "ca.pem"\n', encoding="utf-8")
    with Http(url, settings=read_settings(tmp_path)) as http:
        assert http.post("/", b"").status == 204
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with Http(url, settings=SyncSettings(None, 300.0)) as http:
        assert http.post("/", b"").status == 204
    with Http(url.replace("localhost", "127.0.0.1")) as http, pytest.raises(ServerError, match="isn't trusted"):
        http.post("/", b"")
