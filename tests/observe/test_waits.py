"""How long a program that a signal may end waits at a time."""

from __future__ import annotations

import math
import time

import pytest

from kittywatch.observe.waits import LONGEST, seconds_until


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [(None, LONGEST), (math.inf, LONGEST), (99.0, 0.0), (100.0, 0.0), (100.25, 0.25), (100 + 2 * LONGEST, LONGEST)],
)
def test_until_the_moment_and_no_longer_than_a_signal_may_go_unheard(
    moment: float | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert seconds_until(moment) == seconds
