"""kittywatch: what happens to work packages in a git project becomes events, exactly one each, delivered."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kittywatch.api import (
        close_emitter,
        emit_dependency_resolved,
        emit_error_logged,
        emit_feature_completed,
        emit_feature_created,
        emit_history_added,
        emit_wp_assigned,
        emit_wp_created,
        emit_wp_status_changed,
        generate_causation_id,
        get_connection_status,
        get_emitter,
    )

__all__ = [
    "close_emitter",
    "emit_dependency_resolved",
    "emit_error_logged",
    "emit_feature_completed",
    "emit_feature_created",
    "emit_history_added",
    "emit_wp_assigned",
    "emit_wp_created",
    "emit_wp_status_changed",
    "generate_causation_id",
    "get_connection_status",
    "get_emitter",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The public API, imported when it is first asked for: `import kittywatch` alone stays cheap."""
    if name in __all__:
        from kittywatch import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
