"""Passwords: argon2id, with the library's current parameters."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
MIN_LENGTH = 10
MIN_DIFFERENT = 5
_ROWS = "abcdefghijklmnopqrstuvwxyz01234567890123456789qwertyuiopasdfghjklzxcvbnm"  # alphabet, digits, keyboard
MAX_LENGTH = 1024  # bytes of work that a stranger may ask for


def hashed(password: str) -> str:
    """The argon2id hash of a password, with its salt and parameters."""
    return _hasher.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one; without a hash (an unknown user) it takes as long and says no."""
    if len(password) > MAX_LENGTH:
        return False
    try:
        return _hasher.verify(password_hash or _nobody(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def problem_of(password: str, *, name: str) -> str:
    """What is wrong with a password that somebody chose, as a sentence; empty where nothing is."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"The new password needs at least {MIN_LENGTH} characters."
    folded = password.casefold()
    if len(set(folded)) < MIN_DIFFERENT:
        return f"The new password needs at least {MIN_DIFFERENT} different characters."
    if folded in _ROWS or folded in _ROWS[::-1] or not folded.replace(name.casefold(), ""):
        return "The new password is too easy to guess."
    return ""


def one_time() -> str:
    """A password to print once: four groups of five letters and digits, 96 random bits and more."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_hex(16))
