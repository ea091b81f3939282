"""The lane sources that a project's configuration names: `sources:` in `.kittify/config.yaml` (rule M3).

Each entry is a source by its name. `off` turns one that is known off; a mapping with `files` says where one that is
known is instead, or, with `reader`, adds one:

    sources:
      openspec: off
      bmad:
        files: [planning/sprint-status.yaml]
      tickets:
        reader: markdown
        files: ["tickets/{feature}/*.md"]
        fields: {id: key, status: state, agent: owner}
        lanes: {open: backlog, at work: active, shipped: done}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import fields as struct_fields
from msgspec.structs import replace

from kittywatch.workpackages.categories import CATEGORIES, Category, lane_name
from kittywatch.workpackages.checklist import Checklist
from kittywatch.workpackages.globs import Glob
from kittywatch.workpackages.lane_source import LaneSource
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.markdown import BACKLOG, Fields, Layout, Markdown
from kittywatch.workpackages.records import Bmad, TaskMaster
from kittywatch.workpackages.sources import DEFAULT, Sources, known_sources
from kittywatch.yaml.values import Value

_OFF = frozenset(("off", "false", "no"))
_PARTS = {"frontmatter": "spec-kitty", "event-log": "spec-kitty"}
_OPTIONS = frozenset(("reader", "files", "done", "kept", "fields", "lanes"))


class _Refused(ValueError):  # noqa: N818 - what is wrong with an entry, for people
    """An entry that can't be used."""


def sources_from(section: Value, warn: Callable[[str], None]) -> Sources:
    """The sources of a project whose configuration has `section` under `sources:`.

    An entry that can't be used is left out, and `warn` hears why; the others count.
    """
    if section is None:
        return DEFAULT
    found = {source.name: source for source in known_sources()}
    if not isinstance(section, dict):
        warn("sources: it is no mapping of names, and ignored")
        return DEFAULT
    for name, entry in section.items():
        try:
            for source in _named(name, entry, found.values()):
                found.pop(source.name)
            if isinstance(entry, dict):
                found[name] = _made(name, entry)
        except _Refused as error:
            warn(f"sources: {name!a}: {error}; the entry is ignored")
    return Sources(found.values())


def _named(name: str, entry: Value, known: Iterable[LaneSource]) -> list[LaneSource]:
    """The known sources that an entry takes away: turned off by name or by reader, or told otherwise."""
    same = [source for source in known if source.name == name]
    if isinstance(entry, dict):
        return same
    if not (isinstance(entry, str) and entry.lower() in _OFF):
        raise _Refused("neither `off` nor a mapping with `files`")
    if name in _PARTS:
        raise _Refused(f"both are one source: `{_PARTS[name]}: off` turns it off")
    same += [source for source in known if source.kind == name and source not in same]
    if not same:
        raise _Refused(f"no source has this name; there are {', '.join(one.name for one in known_sources())}")
    return same


def _made(name: str, entry: dict[str, Value]) -> LaneSource:
    """The source that an entry describes; raises _Refused."""
    unknown = sorted(entry.keys() - _OPTIONS)
    if unknown:
        raise _Refused(f"there is no {unknown[0]!a}; there are {', '.join(sorted(_OPTIONS))}")
    files = _texts(entry, "files")
    if not files:
        raise _Refused("`files` is missing: a list of patterns, work/{feature}/*.md")
    reader = entry.get("reader")
    kind = reader if isinstance(reader, str) else {BACKLOG.name: "markdown"}.get(name, name)
    try:
        if not all(Glob(text).root for text in (*files, *_texts(entry, "done"), *_texts(entry, "kept"))):
            raise _Refused("a pattern begins with the name of a directory, or is that of a file at the top")
        if kind == "markdown":
            return Markdown(_layout(name, entry, files))
        if kind in ("checklist", "spec-kit", "openspec"):
            if not all("{feature}" in text for text in files):
                raise _Refused("a list's feature is its directory: its patterns need {feature}")
            return Checklist(name, *files)
        if kind in ("task-master", "bmad"):
            return (TaskMaster if kind == "task-master" else Bmad)(name, *files)
    except ValueError as error:
        raise _Refused(str(error)) from None
    raise _Refused("`reader` is none of markdown, checklist, task-master, bmad")


def _layout(name: str, entry: dict[str, Value], files: tuple[str, ...]) -> Layout:
    base = BACKLOG if name == BACKLOG.name else Layout(name, ())
    named = entry.get("fields")
    fields: dict[str, str] = {}
    known = {one.name for one in struct_fields(Fields)}
    for key, value in named.items() if isinstance(named, dict) else ():
        if key not in known or not isinstance(value, str):
            raise _Refused(f"fields: there is no {key!a}; there are {', '.join(sorted(known))}")
        fields[key] = value
    return replace(
        base,
        files=files,
        done=_texts(entry, "done"),
        kept=_texts(entry, "kept"),
        fields=replace(base.fields, **fields),
        lanes=_lanes(entry.get("lanes")),
    )


def _lanes(stated: Value) -> dict[Lane, Category] | None:
    if stated is None:
        return None
    lanes: dict[Lane, Category] = {}
    for written, meant in stated.items() if isinstance(stated, dict) else ():
        category = next((one for one in CATEGORIES if one == meant), None)
        if category is None:
            raise _Refused(f"lanes: {written!a} is none of {', '.join(CATEGORIES)}")
        lanes[lane_name(written)] = category
    if not lanes or "done" not in lanes.values():
        raise _Refused("lanes: a mapping of lanes to what they mean, one of them done")
    return lanes


def _texts(entry: dict[str, Value], key: str) -> tuple[str, ...]:
    stated = entry.get(key)
    items = stated if isinstance(stated, list) else [stated] if stated is not None else []
    found = tuple(item for item in items if isinstance(item, str) and item and "\n" not in item)
    if len(found) != len(items):
        raise _Refused(f"`{key}` is no list of patterns")
    return found
