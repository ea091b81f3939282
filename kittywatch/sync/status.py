"""How delivery stands, by the protocol's names. A module of its own: who shows it needs nothing else."""

from __future__ import annotations

from enum import StrEnum

HINT = "Events queued locally; run spec-kitty auth login to enable real-time sync"


class ConnectionStatus(StrEnum):
    """Whether events go out as they are queued, and if not, why."""

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
