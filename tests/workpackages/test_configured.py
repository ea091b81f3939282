"""`sources:` in the configuration: a source off, elsewhere, one more, and what can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittywatch.workpackages.configured import sources_from
from kittywatch.workpackages.markdown import Markdown
from kittywatch.workpackages.sources import DEFAULT, Sources
from kittywatch.yaml.mapping import read_mapping

EXAMPLE = Path(__file__).parents[2] / "examples" / "sources.yaml"


def made(text: str) -> tuple[Sources, list[str]]:
    said: list[str] = []
    return sources_from(read_mapping(text)[0].get("sources"), said.append), said


def names(sources: Sources) -> list[str]:
    return [source.name for source in sources.all]


def test_nothing_said() -> None:
    assert sources_from(None, pytest.fail) is DEFAULT
    assert names(DEFAULT) == ["spec-kitty", "backlog.md", "spec-kit", "openspec", "task-master", "bmad"]


def test_the_example() -> None:
    """Rule M3: a layout of one's own."""
    sources, said = made(EXAMPLE.read_text("utf-8"))
    assert said == []
    assert names(sources) == ["spec-kitty", "backlog.md", "spec-kit", "task-master", "bmad", "tickets", "plans"]
    assert sources.unit_of("planning/sprint-status.yaml") is not None
    assert sources.unit_of("sprint-status.yaml") is None
    assert sources.unit_of("openspec/changes/add-x/tasks.md") is None
    unit = sources.unit_of("tickets/shop/closed/1.md")
    assert unit is not None
    assert unit == sources.unit_of("tickets/shop/2.md")
    assert (unit.source, unit.feature) == ("tickets", "shop")
    source = sources[unit]
    assert isinstance(source, Markdown)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("sources:\n  checklist: off\n", ["spec-kitty", "backlog.md", "task-master", "bmad"]),
        ("sources:\n  records: false\n  spec-kitty: no\n", ["backlog.md", "spec-kit", "openspec"]),
    ],
)
def test_readers_turned_off(text: str, left: list[str]) -> None:
    sources, said = made(text)
    assert (names(sources), said) == (left, [])


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("nonsense: off", "no source has this name"),
        ("frontmatter: off", "`spec-kitty: off`"),
        ("openspec: maybe", "neither `off` nor a mapping"),
        ("mine: {reader: markdown}", "`files` is missing"),
        ("mine: {reader: poetry, files: [a.md]}", "`reader` is none of"),
        ("mine: {reader: markdown, files: [../a.md]}", "inside the project"),
        ("mine: {reader: markdown, files: [/etc/passwd]}", "inside the project"),
        ("mine: {reader: checklist, files: [a/todo.md]}", "{feature}"),
        ('mine: {reader: markdown, files: ["**/todo.md"]}', "begins with the name of a directory"),
        ("mine: {reader: markdown, files: [a.md], done: ['*.md']}", "begins with the name of a directory"),
        ("mine: {reader: markdown, files: [a.md], colour: red}", "there is no 'colour'"),
        ("mine: {reader: markdown, files: [a.md], fields: {shape: x}}", "there is no 'shape'"),
        ("mine: {reader: markdown, files: [a.md], lanes: {open: sometimes}}", "none of backlog"),
        ("mine: {reader: markdown, files: [a.md], lanes: {open: backlog}}", "one of them done"),
        ('mine: {reader: markdown, files: ["a\\nb.md"]}', "no list of patterns"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_others_count(entry: str, why: str) -> None:
    sources, said = made(f"sources:\n  {entry}\n  bmad: off\n")
    assert names(sources) == ["spec-kitty", "backlog.md", "spec-kit", "openspec", "task-master"]
    (what,) = said
    assert why in what
    assert entry.split(":")[0] in what


def test_no_mapping_at_all() -> None:
    said: list[str] = []
    assert sources_from("off", said.append) is DEFAULT
    assert said == ["sources: it is no mapping of names, and ignored"]
