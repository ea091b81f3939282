"""How long a server is left alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kittywatch.sync.backoff import Backoff


def waits(chance: float, *, failures: int = 10) -> list[float]:
    backoff = Backoff()
    return [backoff.failed(chance=chance) for _ in range(failures)]


def test_half_a_second_doubling_to_thirty() -> None:
    assert waits(1.0) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert waits(0.0) == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15, 15]


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_failed_together_does_not_come_back_together(one: float, other: float) -> None:
    for first, second, most in zip(waits(one), waits(other), waits(1.0), strict=True):
        assert most / 2 <= min(first, second) <= max(first, second) <= most
    assert (waits(one) == waits(other)) == (one == other) or abs(one - other) < 1e-9


def test_a_success_ends_the_series() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.failed(chance=1)
    backoff.succeeded()
    assert backoff.failed(chance=1) == 0.5


@given(st.floats(0, 1), st.floats(0, 86400), st.integers(0, 9))
def test_what_the_server_says_wins(chance: float, stated: float, before: int) -> None:
    backoff = Backoff()
    for _ in range(before):
        backoff.failed(chance=chance)
    assert stated <= backoff.failed(chance=chance, stated=stated) <= stated + 0.25
