"""The frontmatter of a Markdown file, read strictly.

python-frontmatter finds the block, PyYAML's C parser reads it. All scalars stay text: a lane named `no` is the text
`no`. Tags, anchors and aliases are refused, because nothing in a work package needs them and each is a way to make
a reader do more than read. Of a key that is there twice the last one counts, as in every YAML loader in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from frontmatter.default_handlers import YAMLHandler

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 64
_TRAILING_SPACE = re.compile(r"[ \t]+$", re.MULTILINE)  # a line of tabs is no YAML, and nobody sees it


class FrontmatterError(ValueError):
    """Frontmatter that cannot be read; `line` counts from 1 in the file."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Frontmatter:
    """The fields of a block, the line in the file that each begins in, and the text after the block."""

    fields: dict[str, Value]
    lines: dict[str, int]
    body: str


_HANDLER = YAMLHandler()


def read_frontmatter(text: str) -> Frontmatter:
    """Split and read a text whose line ends are \\n; raises FrontmatterError."""
    start = text.lstrip()
    skipped = text[: len(text) - len(start)].count("\n")
    if not _HANDLER.detect(start):
        raise FrontmatterError(1, "there is no frontmatter: the file must begin with a line ---")
    try:
        block, body = _HANDLER.split(start)
    except ValueError:
        raise FrontmatterError(skipped + 1, "the frontmatter has no end: a second line --- is missing") from None
    try:
        fields, lines = _mapping(block)
    except FrontmatterError as error:
        raise FrontmatterError(error.line + skipped, error.reason) from None
    return Frontmatter(fields, {key: line + skipped for key, line in lines.items()}, body)


def _mapping(block: str) -> tuple[dict[str, Value], dict[str, int]]:
    """The block's mapping and the line of each of its keys; the block begins in the line of the first fence."""
    lines: dict[str, int] = {}
    try:
        events = iter(yaml.parse(_TRAILING_SPACE.sub("", block), Loader=_PARSER))
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                _check(event)
                return _pairs(events, 1, lines), lines
            if isinstance(event, yaml.NodeEvent):
                break
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise FrontmatterError(mark.line + 1 if mark else 1, f"the frontmatter cannot be read: {problem}") from None
    raise FrontmatterError(1, "the frontmatter has no fields: lines like `lane: planned` are missing")


def _pairs(events: Iterator[Any], depth: int, lines: dict[str, int] | None = None) -> dict[str, Value]:
    pairs: dict[str, Value] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            return pairs
        key = _value(event, events, depth)
        if not isinstance(key, str):
            key = str(key)
        if lines is not None:
            lines[key] = event.start_mark.line + 1
        pairs[key] = _value(next(events), events, depth)
    return pairs


def _value(event: Any, events: Iterator[Any], depth: int) -> Value:
    _check(event)
    if depth > _MAX_DEPTH:
        raise FrontmatterError(event.start_mark.line + 1, "the frontmatter is nested too deeply")
    if isinstance(event, yaml.ScalarEvent):
        return None if event.style is None and event.value in _NULL else str(event.value)
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
            raise FrontmatterError(event.start_mark.line + 1, f"the frontmatter has {what}, which is not allowed here")
