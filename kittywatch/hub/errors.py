"""What can go wrong in the hub, and whose fault it is.

    HubError
    ├── ConfigurationError   the operator's: an option, a file, a database that cannot be used
    ├── UnknownNameError     the operator's: a user or team that is not there, or is there already
    ├── CredentialError      the caller's: 401
    ├── ForbiddenError       the caller's: 403
    ├── RequestError         the caller's: 400, 413, 415
    └── ThrottledError       the caller's: 429, with the seconds to wait

Each carries one line about what happened and one remedy; `str` is both. Neither quotes what a caller sent.
"""

from __future__ import annotations

from typing import ClassVar


class HubError(Exception):
    """Something expected went wrong; `message` says what, `remedy` what to do about it."""

    status: ClassVar[int] = 500

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigurationError(HubError):
    pass


class UnknownNameError(HubError):
    pass


class CredentialError(HubError):
    status = 401


class ForbiddenError(HubError):
    status = 403


class RequestError(HubError):
    """The request itself is at fault; `status` is the answer's."""

    def __init__(self, message: str, *, status: int = 400, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = status


class ThrottledError(HubError):
    """Too much at once; come again after `retry_after` seconds."""

    status = 429

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
