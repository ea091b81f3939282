"""Client addresses as far as they tell clients apart: whoever has an IPv6 address has a /64 of them."""

from __future__ import annotations

import ipaddress

from kittywatch.hub.errors import ConfigurationError

_OWN_BITS = 64


def network_of(address: str) -> str:
    """An IPv4 address itself, the /64 of an IPv6 address, anything else as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _OWN_BITS), strict=False))


def is_near(address: str) -> bool:
    """Whether an address is this machine's or of a private network, where a proxy in front of the hub would be."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_private


class Networks:
    """Addresses and networks, comma-separated as `--trusted-proxy` has them; raises ConfigurationError."""

    def __init__(self, text: str) -> None:
        try:
            self._networks = [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",")]
        except ValueError:
            raise ConfigurationError(
                "--trusted-proxy takes addresses and networks", remedy="give the proxy's address, such as 10.0.0.1"
            ) from None

    def __contains__(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(found in network for network in self._networks)
