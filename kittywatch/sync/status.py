"""The connection's status by the protocol's names. A module of its own: to show it takes nothing else."""

from __future__ import annotations

from enum import StrEnum

HINT = "Events queued locally; run spec-kitty auth login to enable real-time sync"


class ConnectionStatus(StrEnum):
    """The status of a connection: events go out as they are queued, or why they don't."""

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
