"""Pictures of a feature as geometry for SVG: cumulative flow, and the cycle time of each finished work package.

Pure from `flow` down: events in, coordinates out; the templates draw them. Coordinates are in units of a WIDTH by
HEIGHT box with the origin at its top left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Connection, select

from kittywatch.events import Event, StatusChange, WPCreated, WPStatusChanged, from_json
from kittywatch.hub.cards import order_of, seconds_of
from kittywatch.hub.columns import category_of
from kittywatch.hub.moments import moment
from kittywatch.hub.schema import SHOWN, events, work_packages
from kittywatch.workpackages.categories import CATEGORIES

WIDTH, HEIGHT = 720.0, 240.0
_POINTS = 160
_ALWAYS = ("backlog", "active", "review", "done")


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """One category's area in the cumulative flow, as the path of an SVG."""

    category: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Cumulative flow; `table` has rows of a date and the count of each of the `categories`."""

    bands: list[Band]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    table: list[tuple[str, list[int]]]
    categories: list[str]


@dataclass(frozen=True, kw_only=True)
class Dot:
    x: float
    y: float
    label: str


@dataclass(frozen=True, kw_only=True)
class CycleTime:
    """From the first lane in which it was worked on to the last done.

    `median_label` and `slow_label` (85th percentile) are durations.
    """

    dots: list[Dot]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    median_y: float
    median_label: str
    slow_y: float
    slow_label: str


@dataclass(frozen=True, kw_only=True)
class FeatureCharts:
    """`flow` and `cycle_time` are None while there is nothing to draw."""

    flow: Flow | None
    cycle_time: CycleTime | None
    counts: dict[str, int]


def of_feature(connection: Connection, team_id: int, project: str, feature: str, *, now: float) -> FeatureCharts | None:
    """The charts of a feature up to `now`, in seconds since 1970; None if the team has no work package of it."""
    table = work_packages.c
    query = select(table.wp_id, table.category, table.started_at, table.done_at).where(
        table.team_id == team_id, table.project == project, table.feature == feature, table.known
    )
    rows = connection.execute(query).all()
    if not rows:
        return None
    bodies = connection.execute(
        select(events.c.body).where(
            events.c.team_id == team_id,
            events.c.project == project,
            events.c.feature == feature,
            events.c.event_type.in_(("WPCreated", "WPStatusChanged")),
            SHOWN,
        )
    ).scalars()
    finished = [
        (row.wp_id, seconds_of(row.started_at), seconds_of(row.done_at))
        for row in rows
        if row.started_at and row.done_at
    ]
    there = {row.category for row in rows}
    shown: list[str] = [one for one in CATEGORIES if one in there or one in _ALWAYS]
    counts = {category: sum(row.category == category for row in rows) for category in shown}
    return FeatureCharts(
        flow=flow([from_json(body) for body in bodies], now=now),
        cycle_time=cycle_time(finished, now=now),
        counts=counts,
    )


def flow(told: Iterable[Event], *, now: float = 0.0) -> Flow | None:
    """How many work packages each lane had over time, up to now or to what is after it."""
    steps = _steps(told)
    if not steps:
        return None
    first, last = steps[0][0], max(steps[-1][0], steps[0][0] + 60, now)
    samples = _samples(steps, first, last, _categories(steps))
    most = max(sum(counts) for _, counts in samples) or 1

    def x(seconds: float) -> float:
        return WIDTH * (seconds - first) / (last - first)

    bands = []
    below = [0.0] * len(samples)
    there = _categories(steps)
    for index in reversed(range(len(there))):
        above = [base + counts[index] for base, (_, counts) in zip(below, samples, strict=True)]
        points = [(x(seconds), value) for (seconds, _), value in zip(samples, above, strict=True)]
        floor = [(x(seconds), value) for (seconds, _), value in zip(samples, below, strict=True)]
        bands.append(Band(category=there[index], path=_area(points, floor, most)))
        below = above
    rows = [samples[round(n * (len(samples) - 1) / 9)] for n in range(10)] if len(samples) > 10 else samples
    return Flow(
        bands=bands,
        x_ticks=_time_ticks(first, last),
        y_ticks=[Tick(at=HEIGHT * (1 - n / most), label=str(n)) for n in _count_ticks(most)],
        table=[(moment(seconds), counts) for seconds, counts in rows],
        categories=there,
    )


def cycle_time(finished: Sequence[tuple[str, float, float]], *, now: float = 0.0) -> CycleTime | None:
    """A dot for each finished work package: when it was done, and how long it took; up to now or to what is after."""
    spans = [(wp_id, done, max(0.0, done - started)) for wp_id, started, done in finished]
    if not spans:
        return None
    durations = sorted(span for _, _, span in spans)
    first, last = min(done for _, done, _ in spans), max(now, *(done for _, done, _ in spans))
    length, most = (last - first) or 1.0, durations[-1] or 1.0
    slow = durations[min(len(durations) - 1, int(0.85 * len(durations)))]

    def y(span: float) -> float:
        return round(HEIGHT * (1 - span / (most * 1.08)), 1)

    dots = [
        Dot(
            x=round(12 + (WIDTH - 24) * ((done - first) / length if last > first else 0.5), 1),
            y=y(span),
            label=f"{wp_id}: {duration(span)}, done {moment(done)}",
        )
        for wp_id, done, span in sorted(spans, key=lambda entry: entry[1])
    ]
    return CycleTime(
        dots=dots,
        x_ticks=_time_ticks(first, last) if last > first else [Tick(at=WIDTH / 2, label=moment(first))],
        y_ticks=[Tick(at=y(most * part), label=duration(most * part)) for part in (0, 0.5, 1)],
        median_y=y(median(durations)),
        median_label=duration(median(durations)),
        slow_y=y(slow),
        slow_label=duration(slow),
    )


def duration(seconds: float) -> str:
    """Seconds in the two units that matter: 45 s, 12 min, 3 h 20 min, 4 d 6 h."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{round(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 60 * 24:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def _steps(told: Iterable[Event]) -> list[tuple[float, str, str]]:
    """Times at which a work package came to a lane, with the lane's category, in the order of time."""
    steps = []
    for event in sorted(told, key=order_of):
        if isinstance(event, WPStatusChanged):
            steps.append((seconds_of(event.timestamp), event.payload.wp_id, _category(event.payload)))
        elif isinstance(event, WPCreated):
            steps.append((seconds_of(event.timestamp), event.payload.wp_id, "backlog"))
    return sorted(steps, key=lambda step: step[0])


def _category(payload: StatusChange) -> str:
    return category_of(payload.new_status, payload.new_category or None)


def _categories(steps: list[tuple[float, str, str]]) -> list[str]:
    """The categories that a feature has had, and those that work always goes through."""
    there = {category for _, _, category in steps}
    return [category for category in CATEGORIES if category in there or category in _ALWAYS]


def _samples(
    steps: list[tuple[float, str, str]], first: float, last: float, categories: list[str]
) -> list[tuple[float, list[int]]]:
    lane_of: dict[str, str] = {}
    counts = dict.fromkeys(categories, 0)
    samples = []
    index = 0
    for n in range(_POINTS + 1):
        until = first + (last - first) * n / _POINTS if n < _POINTS else last
        while index < len(steps) and steps[index][0] <= until:
            _, wp_id, lane = steps[index]
            if wp_id in lane_of:
                counts[lane_of[wp_id]] -= 1
            lane_of[wp_id] = lane
            counts[lane] += 1
            index += 1
        samples.append((until, [counts[category] for category in categories]))
    return samples


def _area(above: list[tuple[float, float]], below: list[tuple[float, float]], most: float) -> str:
    points = [*above, *reversed(below)]
    return "M" + "L".join(f"{x:.1f},{HEIGHT * (1 - value / most):.1f}" for x, value in points) + "Z"


def _count_ticks(most: int) -> list[int]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2500, 10**9) if most / step <= 5)
    return list(range(0, most + 1, step))


def _time_ticks(first: float, last: float) -> list[Tick]:
    days = (last - first) / 86400
    form = "%H:%M" if days < 1 else "%d %b %H:%M" if days < 4 else "%d %b" if days < 300 else "%b %Y"
    parts = (0, 0.25, 0.5, 0.75, 1)
    return [Tick(at=round(WIDTH * part, 1), label=moment(first + (last - first) * part, form=form)) for part in parts]
