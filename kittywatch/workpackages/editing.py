"""Editing a work package file in place: one field of its frontmatter, every other byte untouched.

The quoting of a value stays, and so do comments, indentation, line ends and the order of the fields. What is written
is checked by reading it back: a file in which an edit would do anything else than intended is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from kittywatch.workpackages.activity import NewRecord, append_record
from kittywatch.workpackages.frontmatter import Bounds, FrontmatterError, find_frontmatter, read_frontmatter
from kittywatch.workpackages.lanes import LANES, LaneNames
from kittywatch.workpackages.reader import Problem, WorkPackage, read_work_package
from kittywatch.workpackages.source import EditError, Source
from kittywatch.yaml.composer import Places, Spot, locate
from kittywatch.yaml.values import PlainYamlError, Value

NewValue: TypeAlias = str | Sequence[str]

# What is a word in every YAML: text, that no other reader takes for a number, a date, a truth or nothing.
_WORD = re.compile(r"(?=[^0-9.+-]|.*[A-Za-z]{2})[A-Za-z0-9_][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*\Z")
_SPECIAL = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class Change(Struct, frozen=True):
    """What an edit is to do: fields of the frontmatter to set, and a record to append to the trail."""

    fields: Mapping[str, NewValue] = field(default_factory=dict)
    record: NewRecord | None = None


def edit(path: str, data: bytes, change: Change, names: LaneNames) -> bytes:
    """The file at `path` with a change made; raises EditError, also where it would read back as anything else."""
    before = read_work_package(path, data, names)
    if isinstance(before, Problem):
        raise EditError(str(before))
    edited = data
    try:
        for key, value in change.fields.items():
            edited = set_field(edited, key, value)
        if change.record is not None:
            edited = append_record(edited, change.record.line)
    except EditError as error:
        raise EditError(f"{path}: {error}") from None
    if _read(path, edited, names) != _intended(path, before, data, change, names):
        raise EditError(f"{path}: an edit in place would change more than it should; edit this file by hand")
    return edited


def set_field(data: bytes, key: str, value: NewValue) -> bytes:
    """The file with one field of its frontmatter set, added where it is missing; raises EditError."""
    source = Source(data)
    try:
        bounds = find_frontmatter(source.text)
        block = source.text[bounds.block : bounds.end]
        places = locate(block)
        if read_frontmatter(source.text).fields.get(key) == (value if isinstance(value, str) else list(value)):
            return data
    except (FrontmatterError, PlainYamlError) as error:
        raise EditError(error.reason) from None
    spot = places.values.get(key)
    if spot is None:
        return _added(source, bounds, places, f"{key}: {_new(value)}")
    start, end, text = _rewritten(block, spot, value)
    return source.replaced(bounds.block + start, bounds.block + end, text)


def _added(source: Source, bounds: Bounds, places: Places, line: str) -> bytes:
    """The file with a field more: at the end of the block, or where `{` begins."""
    first = bounds.block + places.start
    if places.flow:
        return source.replaced(first + 1, first + 1, f"{line}, ")
    indent = " " * (first - source.text.rfind("\n", 0, first) - 1)
    return source.replaced(bounds.end, bounds.end, f"{indent}{line}\n")


def _rewritten(block: str, spot: Spot, value: NewValue) -> tuple[int, int, str]:
    """What to replace in a block, by which text, for a field to have a value."""
    start = spot.start
    end = start + len(block[start : spot.end].rstrip())
    if spot.style == "{":
        raise EditError("a field that should be a word is a mapping; edit this file by hand")
    if isinstance(value, str):
        if spot.style in ("[", "-"):
            raise EditError("a field that should be a word is a list; edit this file by hand")
        text = _scalar(value, spot.style)
    elif spot.style == "-" and value:
        indent = " " * (start - block.rfind("\n", 0, start) - 1)
        text = f"\n{indent}".join(f"- {_scalar(item, spot.items[0].style)}" for item in value)
    else:
        style = spot.items[0].style if spot.items else ""
        text = f"[{', '.join(_scalar(item, style) for item in value)}]"
    return start, end, text if start == 0 or block[start - 1] in " \t\n" else f" {text}"


def _new(value: NewValue) -> str:
    return _scalar(value, "") if isinstance(value, str) else f"[{', '.join(_scalar(item, '') for item in value)}]"


def _scalar(value: str, style: str) -> str:
    """A text in YAML, quoted as the one before where it can be."""
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and _WORD.match(value) and value.lower() not in _SPECIAL:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())


_Reading: TypeAlias = tuple[WorkPackage, dict[str, Value]]


def _read(path: str, data: bytes, names: LaneNames) -> _Reading | None:
    package = read_work_package(path, data, names)
    if isinstance(package, Problem):
        return None
    return package, read_frontmatter(Source(data).text).fields


def _intended(path: str, before: WorkPackage, data: bytes, change: Change, names: LaneNames) -> _Reading:
    """How a file must read after a change: what was there before, and the change."""
    fields = read_frontmatter(Source(data).text).fields
    fields |= {key: value if isinstance(value, str) else list(value) for key, value in change.fields.items()}
    after = before
    if "lane" in change.fields:
        after = replace(after, lane=LANES.get(str(change.fields["lane"])), problem=None)
    if "agent" in change.fields:
        after = replace(after, agent=str(change.fields["agent"]).strip() or None)
    if "dependencies" in change.fields:
        after = replace(after, dependencies=tuple(change.fields["dependencies"]))
    if change.record is not None:
        after = replace(after, trail=(*before.trail, change.record.record))
    return after, fields
