"""One question to a server and its answer: the only module that knows httpx.

Rules of this module:
- Every question has one deadline for all of it: name lookup, connection, TLS, sending, and each byte of the answer.
  httpx limits each of these alone; a server that sends a byte a second would keep it for ever. So questions run in an
  event loop, where one timeout ends them wherever they are.
- An answer is bounded in size, and asked for uncompressed.
- No redirect is followed: the token is for one server. Plain http never goes through a proxy.
- Errors of httpx become ours by a table, without their cause: what a library says may quote a header.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx
from msgspec import Struct

from kittywatch import __version__
from kittywatch.errors import ServerError, SyncError, UnreachableError
from kittywatch.sync.address import trust
from kittywatch.sync.dns import EventLoop
from kittywatch.sync.settings import SyncSettings

DEADLINE = 30.0
MAX_ANSWER_BYTES = 8 << 20

# From the most special to the most general; what stands for no answer at all, and what the server is called in it.
_MAPPED: tuple[tuple[type[httpx.HTTPError] | type[httpx.InvalidURL], type[SyncError], str], ...] = (
    (httpx.ConnectTimeout, UnreachableError, "can't be reached in time"),
    (httpx.TimeoutException, UnreachableError, "doesn't answer in time"),
    (httpx.ProxyError, UnreachableError, "can't be reached through the proxy"),
    (httpx.UnsupportedProtocol, ServerError, "has an address that can't be used"),
    (httpx.ConnectError, UnreachableError, "can't be reached"),
    (httpx.LocalProtocolError, ServerError, "can't be asked that way"),
    (httpx.RemoteProtocolError, UnreachableError, "broke off, or doesn't speak HTTP"),
    (httpx.NetworkError, UnreachableError, "broke the connection off"),
    (httpx.DecodingError, ServerError, "sent an answer that can't be decoded"),
    (httpx.HTTPError, UnreachableError, "can't be reached"),
    (httpx.InvalidURL, ServerError, "has an address that can't be used"),
)


class Answer(Struct, frozen=True):
    """A server's answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Http:
    """A connection to one server, kept open between questions. For one thread at a time, outside of event loops."""

    def __init__(self, url: str, *, settings: SyncSettings | None = None, deadline: float = DEADLINE) -> None:
        """`deadline` is the seconds that a question may take at most. Raises SyncError."""
        self.url = url
        self._deadline = deadline
        secure = url.startswith("https:")
        self._runner = asyncio.Runner(loop_factory=EventLoop)
        try:
            self._client = httpx.AsyncClient(
                base_url=url,
                verify=trust(settings.ca_file if settings else None) if secure else False,
                trust_env=secure,
                timeout=httpx.Timeout(deadline),
                headers={"User-Agent": f"kittywatch/{__version__}", "Accept-Encoding": "identity"},
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        except (httpx.InvalidURL, ValueError):
            raise SyncError("the proxy's address can't be used", remedy="check HTTPS_PROXY and ALL_PROXY") from None

    def __enter__(self) -> Http:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def post(
        self,
        path: str,
        body: bytes,
        *,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Ask; whatever status comes back is an answer. Raises UnreachableError, ServerError."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._question("POST", path, body, bearer, sent, deadline)

    def get(self, path: str, *, bearer: str | None = None, deadline: float | None = None) -> Answer:
        """Ask for a page; otherwise as `post`."""
        return self._question("GET", path, b"", bearer, {}, deadline)

    def _question(
        self, method: str, path: str, body: bytes, bearer: str | None, headers: dict[str, str], deadline: float | None
    ) -> Answer:
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        seconds = self._deadline if deadline is None else max(deadline, 0.001)
        try:
            return self._runner.run(self._ask(method, path, body, headers, seconds))
        except TimeoutError:
            raise UnreachableError(f"{self.url} didn't answer within {seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._ours(error) from None

    def close(self) -> None:
        """Close the connection."""
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.close()

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        async with asyncio.timeout(seconds):
            async with self._client.stream(method, path, content=body or None, headers=headers) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise httpx.DecodingError("compressed")
                received = bytearray()
                async for chunk in response.aiter_raw():
                    received += chunk
                    if len(received) > MAX_ANSWER_BYTES:
                        raise httpx.DecodingError("too long")
                return Answer(response.status_code, dict(response.headers), bytes(received))

    def _ours(self, error: Exception) -> SyncError:
        for kind, ours, what in _MAPPED:  # pragma: no branch - it ends with all that is caught
            if isinstance(error, kind):
                why = _certificate_problem(error)
                if why is not None:
                    return ServerError(
                        f"{self.url} has a certificate that isn't trusted: {why}",
                        remedy="trust its authority with SSL_CERT_FILE, or `ca_file` in config.toml",
                    )
                return ours(f"{self.url} {what}")
        raise error  # pragma: no cover


def _certificate_problem(error: BaseException) -> str | None:
    """The fault of a server's certificate, for people; None if a connection failed for another reason."""
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None
