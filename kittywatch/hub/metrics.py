"""Counters in the Prometheus text format; totals only, nothing of any team."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """What this process counted since it started; used on the event loop alone."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._buckets: defaultdict[str, Counter[float]] = defaultdict(Counter)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def count_events(self, statuses: Iterable[str]) -> None:
        self._events.update(statuses)

    def count_request(self, route: str, *, status: int, seconds: float) -> None:
        """`route` is the route's pattern, never the path that was asked for."""
        self._requests[(route, str(status))] += 1
        self._seconds[route] += seconds
        for bucket in _BUCKETS:
            if seconds <= bucket:
                self._buckets[route][bucket] += 1

    def render(self, *, connections: int) -> str:
        lines = ["# HELP kittywatch_events_total Events that came in.", "# TYPE kittywatch_events_total counter"]
        lines += [f'kittywatch_events_total{{status="{name}"}} {n}' for name, n in sorted(self._events.items())]
        lines += ["# HELP kittywatch_connections Open WebSockets.", "# TYPE kittywatch_connections gauge"]
        lines += [f"kittywatch_connections {connections}"]
        lines += ["# HELP kittywatch_requests_total Answered requests.", "# TYPE kittywatch_requests_total counter"]
        lines += [
            f'kittywatch_requests_total{{route="{route}",status="{status}"}} {n}'
            for (route, status), n in sorted(self._requests.items())
        ]
        lines += [
            "# HELP kittywatch_request_seconds How long requests took.",
            "# TYPE kittywatch_request_seconds histogram",
        ]
        for route in sorted(self._seconds):
            total = sum(n for (name, _), n in self._requests.items() if name == route)
            for bucket in _BUCKETS:
                count = self._buckets[route][bucket]
                lines.append(f'kittywatch_request_seconds_bucket{{route="{route}",le="{bucket}"}} {count}')
            lines.append(f'kittywatch_request_seconds_bucket{{route="{route}",le="+Inf"}} {total}')
            lines.append(f'kittywatch_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}')
            lines.append(f'kittywatch_request_seconds_count{{route="{route}"}} {total}')
        return "\n".join(lines) + "\n"
