"""The credentials file."""

from __future__ import annotations

import os
import threading
import tomllib
from pathlib import Path

import pytest
import tomli_w

from kittywatch.errors import AuthenticationError, SyncError, UnreachableError
from kittywatch.sync.credentials import Credentials, CredentialsFile, is_token
from tests.waiting import DEADLINE

LOGIN = Credentials("ACCESS", "REFRESH", 1_767_225_600.0, 1_767_830_400.0, "mira", "cats", "https://hub.example.org")
BARE = {
    "tokens": {"access": "A", "refresh": "R", "access_expires_at": "2026-01-01T00:00:00+00:00"},
    "server": {"url": "https://hub.example.org"},
}


@pytest.fixture
def file(home: Path) -> CredentialsFile:
    home.mkdir(mode=0o700)
    return CredentialsFile(home)


def test_as_contracted(file: CredentialsFile) -> None:
    """The contract's keys, for its owner alone."""
    file.write(LOGIN)
    assert tomllib.loads(file.path.read_text("utf-8")) == {
        "tokens": {
            "access": "ACCESS",
            "refresh": "REFRESH",
            "access_expires_at": "2026-01-01T00:00:00+00:00",
            "refresh_expires_at": "2026-01-08T00:00:00+00:00",
        },
        "user": {"username": "mira", "team_slug": "cats"},
        "server": {"url": "https://hub.example.org"},
    }
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.read() == LOGIN


def test_nobody_shows_the_tokens(file: CredentialsFile) -> None:
    shown = repr(LOGIN) + str(LOGIN) + str(LOGIN.__rich_repr__())
    assert "ACCESS" not in shown
    assert "REFRESH" not in shown
    assert "mira" in shown


@pytest.mark.parametrize("expiry", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", 1_767_225_600, "x", None, []])
def test_moments_in_other_spellings(file: CredentialsFile, expiry: object) -> None:
    """The field's client may have written it; what makes no sense counts as past."""
    fields = {**BARE, "tokens": {"access": "A", "refresh": "R"} | ({"access_expires_at": expiry} if expiry else {})}
    file.path.write_text(tomli_w.dumps(fields), encoding="utf-8")
    found = file.read()
    assert found is not None
    assert found.access_expires_at == (1_767_225_600.0 if expiry not in ("x", None, []) else 0.0)
    assert (found.team_slug, found.username) == ("local", "")


@pytest.mark.parametrize("missing", ["access", "refresh", "url"])
def test_half_a_login_is_none(file: CredentialsFile, missing: str) -> None:
    fields = {section: {key: value for key, value in keys.items() if key != missing} for section, keys in BARE.items()}
    file.path.write_text(tomli_w.dumps(fields), encoding="utf-8")
    assert file.read() is None


def test_no_file(file: CredentialsFile) -> None:
    assert file.read() is None
    with file.changing(seconds=1):
        file.forget()
    assert not file.path.exists()


@pytest.mark.parametrize("data", [b"tokens = SECRET", b"\xff SECRET", b"[tokens]\naccess = 'SECRET", b"#" * (1 << 19)])
def test_what_cannot_be_read_is_not_quoted(file: CredentialsFile, data: bytes) -> None:
    file.path.write_bytes(data)
    with pytest.raises(AuthenticationError) as found:
        file.read()
    assert "SECRET" not in str(found.value)
    assert str(file.path) in str(found.value)
    assert "auth login" in found.value.remedy
    assert found.value.__cause__ is None


def test_an_address_that_would_not_be_safe_is_not_used(file: CredentialsFile) -> None:
    file.path.write_text(tomli_w.dumps({**BARE, "server": {"url": "http://hub.example.org"}}), encoding="utf-8")
    with pytest.raises(AuthenticationError, match="in the clear"):
        file.read()


def test_a_login_that_ended_leaves_who_and_where(file: CredentialsFile) -> None:
    file.write(LOGIN)
    file.forget()
    assert file.read() is None
    last = file.remembered()
    assert (last.url, last.username) == (LOGIN.url, LOGIN.username)
    assert "ACCESS" not in file.path.read_text("utf-8")
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_can_read_is_taken_from_them(file: CredentialsFile) -> None:
    file.write(LOGIN)
    file.path.chmod(0o644)
    assert file.read() == LOGIN
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_login(file: CredentialsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write(LOGIN)
    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(Exception, match="No space"):
        file.write(Credentials("B", "B", 0, 0, "b", "b", LOGIN.url))
    assert file.read() == LOGIN
    assert [path.name for path in file.path.parent.iterdir()] == ["credentials"]


def _full_disk(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_one_changes_it_at_a_time_and_nobody_waits_for_ever(file: CredentialsFile) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with file.changing(seconds=1):
            entered.set()
            leave.wait(DEADLINE)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(DEADLINE)
    with pytest.raises(UnreachableError, match=r"credentials\.lock has been held"), file.changing(seconds=0.05):
        raise AssertionError("two at once")
    leave.set()
    with file.changing(seconds=20):
        pass
    thread.join()


def test_a_lock_that_can_not_be_had_says_which_file(file: CredentialsFile) -> None:
    lock = file.path.with_name("credentials.lock")
    lock.mkdir(parents=True)
    with pytest.raises(SyncError, match=str(lock)) as caught, file.changing(seconds=1):
        raise AssertionError("without a lock")
    assert "writable" in caught.value.remedy


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "a\r\nX: y", "ü", "a" * 20_000, None, 3, b"a"])
def test_what_cannot_be_a_token(value: object) -> None:
    assert not is_token(value)
    assert is_token("eyJ.abc-_~+/=")
