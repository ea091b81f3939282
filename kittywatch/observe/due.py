"""What is to be looked at, and when: a small state machine between file system events and observations.

Times are seconds of a monotonic clock that the caller reads; nothing here sleeps or knows what is looked at.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)


class Due(Generic[Thing]):
    """Things with the times at which they are due; the earliest request for a thing counts unless it is put off."""

    def __init__(self) -> None:
        self._times: dict[Thing, float] = {}

    def ask(self, thing: Thing, time: float) -> None:
        """Have a thing looked at by `time`."""
        self._times[thing] = min(time, self._times.get(thing, time))

    def put_off(self, thing: Thing, time: float) -> None:
        """Something is still happening to a thing: not before `time`."""
        self._times[thing] = time

    def take(self, now: float) -> list[Thing]:
        """The things that are due, which then are no more, in the order in which they were due."""
        ready = sorted((time, index, thing) for index, (thing, time) in enumerate(self._times.items()) if time <= now)
        for _, _, thing in ready:
            del self._times[thing]
        return [thing for _, _, thing in ready]

    def next(self) -> float | None:
        """When the next thing is due, None where nothing waits."""
        return min(self._times.values(), default=None)
