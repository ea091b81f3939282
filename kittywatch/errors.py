"""Every error that kittywatch raises for people to read.

    KittywatchError             the message says what happened, to which file or server; `remedy` the one thing to do
    ├── ProjectError            the project's files or its git repository
    │   └── NotAProjectError    there is no git repository here
    ├── EmissionRefusedError    an event that was to be emitted manually says something that can't be
    ├── WorkflowError           what a command was asked to do with work packages is not allowed, or cannot be done
    ├── GitError                git refused or failed
    ├── StoreError              the files under $SPEC_KITTY_HOME
    │   ├── StoreBusyError      another process has held the database too long
    │   └── StoreCorruptError   the database cannot be read as it is
    ├── DemoError               a part of the demonstration didn't do its part
    ├── SyncError               delivery to a server
    │   ├── AuthenticationError no login, or one that the server doesn't take; exit code 4
    │   ├── UnreachableError    the server doesn't answer, or not now: later may do; `wait` says how much later
    │   └── ServerError         the server answers, but not as the protocol says
    └── HubError                the hub; these are in hub.errors
        ├── ConfigurationError  the operator's: an option, a file, a database that cannot be used
        ├── MissingExtraError   the operator's: the extra `hub` is not installed
        ├── UnknownNameError    the operator's: a user or a team that is not there, or is there already
        ├── CredentialError     the caller's: 401
        ├── ForbiddenError      the caller's: 403
        ├── RequestError        the caller's: 400, 413, 415
        └── ThrottledError      the caller's: 429, with the seconds to wait

Bugs are no KittywatchError: they end in a report. Values outside the contract are events.InvalidEventError.
"""

from __future__ import annotations

from pathlib import Path


class KittywatchError(Exception):
    """An expected failure, with its remedy."""

    remedy = "run the command again with -v"

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if remedy is not None:
            self.remedy = remedy


class ProjectError(KittywatchError):
    """The project's files or its repository are not as they need to be."""


class NotAProjectError(ProjectError):
    """There is no git repository at or above a directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"{directory} is not in a git repository with a worktree",
            remedy="change to the project's directory, or make it a repository with `git init`",
        )


class EmissionRefusedError(KittywatchError):
    """A manual emission states what can't be; nothing was emitted."""

    remedy = "emit it again with what is the case"


class WorkflowError(KittywatchError):
    """What a command was asked to do with work packages is not allowed, or cannot be done; nothing has changed."""


class GitError(KittywatchError):
    """git refused or failed; `said` is the last line that it printed."""

    def __init__(self, command: str, said: str, *, remedy: str = "run the same git command to see more") -> None:
        super().__init__(f"git {command}: {said}", remedy=remedy)


class DemoError(KittywatchError):
    """A part of the demonstration failed; `said` is the last line that it printed."""

    def __init__(self, what: str, said: list[str]) -> None:
        super().__init__(f"the demonstration failed at {what}: {' '.join(said)}", remedy="run it again with -v")


class StoreError(KittywatchError):
    """The files under $SPEC_KITTY_HOME cannot be used as they are."""


class StoreBusyError(StoreError):
    """Another process has held the database for longer than the deadline."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(
            f"{path} has been locked by another process for {seconds:g} s",
            remedy="run the command again; nothing is lost, the next observation tells what this one couldn't",
        )


class StoreCorruptError(StoreError):
    """The database is damaged; `repair` sets it aside and carries over what can be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged", remedy="run `kittywatch doctor`")


class SyncError(KittywatchError):
    """Delivery to a server failed; nothing that waits is lost."""


class AuthenticationError(SyncError):
    """There is no login, or the server doesn't take it."""

    remedy = "run `kittywatch auth login`"


class UnreachableError(SyncError):
    """The server doesn't answer, or is busy; `wait` is the seconds that it asks to be left alone, if it does."""

    remedy = "check the network and the server's address; what waits is kept, and the next try delivers it"

    def __init__(self, message: str, *, wait: float | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.wait = wait


class ServerError(SyncError):
    """The server answers, but not as the protocol says."""

    remedy = "check that the address is a kittywatch or spec-kitty server's, and that nothing stands in between"
