"""States of delivery by the protocol's names, in a module of its own because showing them needs nothing else."""

from __future__ import annotations

from enum import StrEnum

HINT = "Events queued locally; run spec-kitty auth login to enable real-time sync"


class ConnectionStatus(StrEnum):
    """State of delivery: events go out as they are queued, or the reason why not."""

    CONNECTED = "Connected"
    RECONNECTING = "Reconnecting"
    OFFLINE = "Offline"
    BATCH_MODE = "OfflineBatchMode"


SHOWN: dict[str, str] = {
    ConnectionStatus.CONNECTED: "Connected",
    ConnectionStatus.RECONNECTING: "Reconnecting",
    ConnectionStatus.OFFLINE: "Offline",
    ConnectionStatus.BATCH_MODE: "Offline - Batch Mode",
}
"""The states as people see them."""
