"""How one hub process is set up: valid from construction."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from kittywatch.home import home
from kittywatch.hub.addresses import Networks
from kittywatch.hub.errors import ConfigurationError
from kittywatch.hub.limits import Limits

DEFAULT_PORT = 8765


@dataclass(frozen=True, kw_only=True)
class Config:
    """`allowed_hosts` are further names that requests may be addressed to, without ports; `trusted_proxy` are addresses
    and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; `batch_interval` is the seconds
    that clients are told to leave between batches.

    Raises ConfigurationError when it would serve others than this machine without TLS.
    """

    database: str
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure_http: bool = False
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxy: str | None = None
    public_metrics: bool = False
    batch_interval: float = 0.2
    ping_seconds: float = 20.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigurationError("TLS needs a certificate and a key", remedy="give --tls-cert and --tls-key")
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not os.access(path, os.R_OK):
                raise ConfigurationError(f"{path} cannot be read", remedy="give the path of a PEM file")
        if self.trusted_proxy is not None:
            Networks(self.trusted_proxy)
        if not (self.has_tls or self.insecure_http or is_loopback(self.host)):
            raise ConfigurationError(
                f"serving {self.host} without TLS would send passwords in the clear",
                remedy="give --tls-cert and --tls-key, or --insecure-http behind a proxy that has TLS",
            )

    @property
    def has_tls(self) -> bool:
        return self.tls_cert is not None

    @property
    def scheme(self) -> str:
        return "https" if self.has_tls else "http"

    def hosts(self) -> frozenset[str]:
        """The names and addresses that a request's Host may say; anything else is a rebound name."""
        names = {"localhost", "127.0.0.1", "::1", self.host.lower(), *(name.lower() for name in self.allowed_hosts)}
        if not is_loopback(self.host):
            names.add(socket.gethostname().lower())
        return frozenset(names)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, by what it says, without a lookup."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_database() -> str:
    """The SQLite file in the user's kittywatch directory."""
    return f"sqlite:///{home() / 'hub.db'}"
