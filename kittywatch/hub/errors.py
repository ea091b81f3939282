"""What can go wrong in the hub, and whose fault it is; see the tree in kittywatch.errors.

An operator's errors end a command. A caller's are answered over HTTP, as two sentences; neither quotes what a caller
sent.
"""

from __future__ import annotations

from typing import ClassVar

from kittywatch.errors import KittywatchError


class HubError(KittywatchError):
    """Something expected went wrong; `status` is what HTTP answers."""

    status: ClassVar[int] = 500
    remedy = ""


class ConfigurationError(HubError):
    """An option, a file or a database cannot be used."""


class MissingExtraError(HubError):
    """A package that the extra `hub` brings is not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the hub needs {module.partition('.')[0]}, which is not installed",
            remedy="install it with `pip install 'kittywatch[hub]'`",
        )


class UnknownNameError(HubError):
    """A user or a team is not there, is there already, or cannot be called that."""


class CredentialError(HubError):
    status = 401


class ForbiddenError(HubError):
    status = 403


class PasswordChangeError(HubError):
    """Whoever is signed in has to choose a password first."""

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
