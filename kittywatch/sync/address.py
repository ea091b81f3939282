"""A server's address, and how its certificate is checked."""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from kittywatch.errors import SyncError

_REMEDY = "give an address like https://hub.example.org"


def server_url(stated: str) -> str:
    """Normalize a server's URL, without a slash at the end; raises SyncError.

    Plain http is for this machine alone: tokens would travel in the clear.
    """
    text = stated.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SyncError("the server's address is not an address", remedy=_REMEDY) from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or not text.isascii() or not text.isprintable() or " " in text:
        raise SyncError("the server's address is not one of http or https", remedy=_REMEDY)
    if parts.username is not None or parts.password is not None:
        raise SyncError("the server's address has a user name or a password in it", remedy=_REMEDY)
    if parts.query or parts.fragment:
        raise SyncError("the server's address has a ? or a # in it", remedy=_REMEDY)
    if parts.scheme == "http" and not is_loopback(host):
        raise SyncError(
            f"http://{host} would send passwords in the clear; plain http is for this machine alone",
            remedy="give the server's https address",
        )
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}{'' if port in (None, default) else f':{port}'}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Tell whether a name or address is this machine's own, by what it says, without a lookup."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def trust(authority: Path | None = None) -> ssl.SSLContext:
    """TLS context with the trusted authorities; raises SyncError for a file that can't be used.

    The system's, or what SSL_CERT_FILE and SSL_CERT_DIR name instead; and `authority` besides.
    """
    try:
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"] and not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
            import certifi  # where the system has none, as some installations of Python do

            context.load_verify_locations(certifi.where())
        if authority is not None:
            context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        what = authority or "SSL_CERT_FILE"
        raise SyncError(
            f"{what}: the certificates can't be read: {error.strerror or type(error).__name__}",
            remedy="name a PEM file with the certificates of the authorities to trust",
        ) from None
    return context
