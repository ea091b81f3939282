"""Plain YAML from the events of PyYAML's C parser: everything that it may be, and what is wrong with the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from kittywatch.startup.patterns import pattern
from kittywatch.yaml.values import NULL, PlainYamlError, Value

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 64
# A line of tabs is no YAML, and nobody sees it. From the start of a run only: else a long one takes quadratic time.
_TRAILING_SPACE = pattern(r"(?<![ \t])[ \t]++$", re.MULTILINE)


def read_whole(text: str) -> tuple[dict[str, Value], dict[str, int]]:
    """The text's mapping, and the line of each of its keys; raises PlainYamlError."""
    lines: dict[str, int] = {}
    try:
        events = iter(yaml.parse(_TRAILING_SPACE.sub("", text), Loader=_PARSER))
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                _check(event)
                return _pairs(events, 1, lines), lines
            if isinstance(event, yaml.NodeEvent):
                break
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes, Python's parser characters; the line is the same as long as a byte is cut off at most.
        before = text.encode()[: error.position] if error.encoding == "?" else text[: error.position].encode()
        raise PlainYamlError(before.count(b"\n") + 1, f"it cannot be read: {error.reason}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise PlainYamlError(mark.line + 1 if mark else 1, f"it cannot be read: {problem}") from None
    raise PlainYamlError(1, "it has no fields")


class Spot(Struct, frozen=True):
    """Where a value stands in a text, as offsets: `text[start:end]` is how it is written.

    `style` is what it begins with: a quote, `|` or `>`, `[` or `-` for a list, `{` for a mapping, empty for plain.
    """

    start: int
    end: int
    style: str
    items: tuple[Spot, ...] = ()


class Places(Struct, frozen=True):
    """Where the values of a mapping stand, by key, and where the mapping itself begins; `flow` says `{…}`."""

    start: int
    flow: bool
    values: dict[str, Spot]


def locate(text: str) -> Places:
    """Where the values of a text that `read_mapping` can read stand; of a key that is there twice, the last."""
    blanked = _TRAILING_SPACE.sub(lambda space: " " * len(space[0]), text)
    try:
        events: Iterator[Any] = iter(yaml.parse(blanked, Loader=_PARSER))
        top: Any = next(event for event in events if isinstance(event, yaml.MappingStartEvent))
        values: dict[str, Spot] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            _spot(event, events)
            values[str(getattr(event, "value", ""))] = _spot(next(events), events)
    except (yaml.YAMLError, StopIteration, RecursionError) as error:
        raise PlainYamlError(1, "its fields cannot be located") from error
    return Places(top.start_mark.index, bool(top.flow_style), values)


def _spot(event: Any, events: Iterator[Any]) -> Spot:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.ScalarEvent):
        return Spot(start, end, event.style or "")
    items: list[Spot] = []
    closing: Any = yaml.SequenceEndEvent if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingEndEvent
    for item in events:
        if isinstance(item, closing):
            end = item.end_mark.index if event.flow_style else max([start, *(one.end for one in items)])
            break
        items.append(_spot(item, events))
    if closing is yaml.MappingEndEvent:
        return Spot(start, end, "{")
    return Spot(start, end, "[" if event.flow_style else "-", tuple(items))


def _pairs(events: Iterator[Any], depth: int, lines: dict[str, int] | None = None) -> dict[str, Value]:
    pairs: dict[str, Value] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            return pairs
        key = _value(event, events, depth)
        if not isinstance(key, str):
            key = event.value if key is None else str(key)  # as a key, null is a word
        if lines is not None:
            lines[key] = event.start_mark.line + 1
        pairs[key] = _value(next(events), events, depth)
    return pairs


def _value(event: Any, events: Iterator[Any], depth: int) -> Value:
    _check(event)
    if depth > _MAX_DEPTH:
        raise PlainYamlError(event.start_mark.line + 1, "it is nested too deeply")
    if isinstance(event, yaml.ScalarEvent):
        plain = not event.style  # None in Python, empty in C
        return None if plain and event.value in NULL else str(event.value)
    if isinstance(event, yaml.MappingStartEvent):
        return _pairs(events, depth + 1)
    items: list[Value] = []
    for item in events:
        if isinstance(item, yaml.SequenceEndEvent):
            break
        items.append(_value(item, events, depth + 1))
    return items


def _check(event: Any) -> None:
    for what, found in (
        ("an alias", isinstance(event, yaml.AliasEvent)),
        ("an anchor", getattr(event, "anchor", None) is not None),
        ("a tag", getattr(event, "tag", None) is not None),
    ):
        if found:
            raise PlainYamlError(event.start_mark.line + 1, f"it has {what}, which is not allowed here")
