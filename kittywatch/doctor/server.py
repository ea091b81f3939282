"""The way to the server: settings, the proxy in between, TLS, and whether the server takes the login.

Nothing is sent but a question that every delivery asks as well. The token stays in its header.
"""

from __future__ import annotations

import socket
import ssl
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.errors import AuthenticationError, SyncError
from kittywatch.sync.address import server_url, trust
from kittywatch.sync.auth import AuthClient
from kittywatch.sync.settings import read_settings

SECONDS = 5.0
EXPIRES_SOON_SECONDS = 7 * 86400.0
_KNOWN = {
    "server_url": (str, "an address"),
    "interval_seconds": ((int, float), "a number"),
    "max_queue_size": (int, "a whole number"),
    "ca_file": (str, "a path"),
}


def check_settings(examination: Examination) -> Iterator[Finding]:
    """Check config.toml, whose invalid values everything else passes over in silence."""
    path = examination.home / "config.toml"
    try:
        section = tomllib.loads(path.read_text("utf-8")).get("sync", {})
    except FileNotFoundError:
        return
    except (ValueError, RecursionError) as error:
        where = str(error).rpartition("(at ")[2].removesuffix(")") if "(at " in str(error) else "somewhere"
        yield Finding(f"{path} is not TOML, and so counts as empty: see {where}", "mend it, or remove it")
        return
    if not isinstance(section, dict):
        yield Finding(f"{path}: sync is no table", "begin it with a line [sync]")
        return
    for name, (kind, what) in _KNOWN.items():
        value = section.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):  # type: ignore[arg-type]
            yield Finding(f"{path}: {name} is not {what}, and is passed over", f"set {name} to {what}")
    if isinstance(section.get("server_url"), str):
        try:
            server_url(section["server_url"])
        except SyncError as error:
            yield Finding(f"{path}: server_url: {error}", error.remedy)
    authority = read_settings(examination.home).ca_file
    if authority is not None:
        try:
            trust(authority)
        except SyncError as error:
            yield Finding(f"{path}: ca_file: {error}", error.remedy)


def check_proxy(examination: Examination) -> Iterator[Finding]:
    """Check the proxy on the way to the server; plain http to this machine never uses one."""
    proxy = _proxy(_server(examination))
    if proxy is None:
        return
    name, parts = proxy
    try:
        port = parts.port or {"https": 443, "socks5": 1080, "socks5h": 1080}.get(parts.scheme, 80)
        if parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname:
            raise ValueError
    except ValueError:
        yield Finding(f"{name} is not the address of a proxy", f"unset {name}, or set it like http://proxy:3128")
        return
    try:
        socket.create_connection((parts.hostname, port), SECONDS).close()
    except OSError as error:
        what = f"the proxy {parts.hostname}:{port} of {name} can't be reached: {_said(error)}"
        yield Finding(what, f"unset {name}, or name the server in NO_PROXY")


def check(examination: Examination) -> Iterator[Finding]:
    """Check that the server answers, takes the login, and has a trusted certificate that does not end soon."""
    client = AuthClient(examination.home, deadline=SECONDS)
    settings = read_settings(examination.home)
    try:
        login = client.status()
    except AuthenticationError as error:
        yield Finding(str(error), error.remedy)
        return
    if login is None:
        if settings.server_url is not None:
            what = "nobody is logged in at the server that config.toml names; what is told waits here"
            yield Finding(what, "`kittywatch auth login`")
        return
    if settings.server_url is not None and settings.server_url.rstrip("/") != login.url:
        yield Finding(f"config.toml names another server than the login's, {login.url}", "`kittywatch auth login`")
    try:
        client.ws_token()
    except SyncError as error:
        yield Finding(str(error), error.remedy)
        return
    yield from _certificate(examination, login.url)


def _server(examination: Examination) -> str | None:
    """URL that deliveries go to, None without a login."""
    try:
        login = AuthClient(examination.home).status()
    except AuthenticationError:
        return None
    return login.url if login else None


def _proxy(url: str | None) -> tuple[str, SplitResult] | None:
    """Variable that names a proxy for a URL, and its value; None if no proxy is used."""
    if url is None or not url.startswith("https:") or proxy_bypass(urlsplit(url).hostname or ""):
        return None
    for scheme in ("https", "all"):
        stated = getproxies().get(scheme)
        if stated:
            return f"{scheme.upper()}_PROXY", urlsplit(stated if "://" in stated else f"http://{stated}")
    return None


def _certificate(examination: Examination, url: str) -> Iterator[Finding]:
    """Check the end of a server's certificate, which is trusted, or the question before would have failed."""
    parts = urlsplit(url)
    if parts.scheme != "https" or _proxy(url) is not None:
        return
    context = trust(read_settings(examination.home).ca_file)
    host = parts.hostname or ""
    try:
        with (
            socket.create_connection((host, parts.port or 443), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {}).get("notAfter", "")))
    except (OSError, ValueError):
        return
    if ends - time.time() < EXPIRES_SOON_SECONDS:
        day = datetime.fromtimestamp(ends, UTC).date()
        yield Finding(f"the certificate of {url} ends on {day}", "tell who runs the server")


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__
