"""Editing in place: one field and one record, every other byte as it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kittywatch.workpackages.activity import NewRecord, append_record
from kittywatch.workpackages.boxes import mark
from kittywatch.workpackages.editing import Change, edit, set_field
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.reader import WorkPackage, read_work_package
from kittywatch.workpackages.source import EditError
from tests.builders import PATH, record, work_package_text

NAMES = LaneNames()
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RECORD = NewRecord(NOON, "claude", "doing", "Started")
LINE = "- 2026-01-02T12:00:00Z – claude – lane=doing – Started"
MOVE = Change({"lane": "doing"}, RECORD)


def read(data: bytes) -> WorkPackage:
    found = read_work_package(PATH, data, NAMES)
    assert isinstance(found, WorkPackage)
    return found


def difference(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """What was replaced by what: all that is left without the common start and end."""
    start = _common(before, after)
    rest = _common(before[start:][::-1], after[start:][::-1])
    return before[start : len(before) - rest], after[start : len(after) - rest]


def _common(one: bytes, other: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lane: planned", "lane: doing"),
        ('lane: "planned"', 'lane: "doing"'),
        ("lane: 'planned'", "lane: 'doing'"),
        ("lane:    planned   # not yet", "lane:    doing   # not yet"),
        ("lane:\t'planned'\t", "lane:\t'doing'\t"),
        ('"lane": planned', '"lane": doing'),
        ("lane:\n  planned", "lane:\n  doing"),
        ("lane: |\n  planned", "lane: doing"),
        ("lane: done\ntitle: x\nlane: planned", "lane: done\ntitle: x\nlane: doing"),
        ("lane:", "lane: doing"),
        ("lane: # empty", "lane: doing # empty"),
        ("lane: ~", "lane: doing"),
        ('lane: ""', 'lane: "doing"'),
        ("? lane\n: planned", "? lane\n: doing"),
        ("title: ü – “x”\nlane: planned", "title: ü – “x”\nlane: doing"),
        ("{title: x, lane: planned, agent: y}", "{title: x, lane: doing, agent: y}"),
        ("{title: x}", "{lane: doing, title: x}"),
        ("  title: x\n  lane: planned", "  title: x\n  lane: doing"),
        ("  title: x", "  title: x\n  lane: doing"),
        ("title: x\nhistory:\n- lane: planned", "title: x\nhistory:\n- lane: planned\nlane: doing"),
        ("title: x\n# lane: planned", "title: x\n# lane: planned\nlane: doing"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_field(before: str, after: str, line_end: str, bom: str) -> None:
    def whole(block: str) -> bytes:
        return f"{bom}---\n{block}\n---\n\nBody.\n".replace("\n", line_end).encode()

    assert set_field(whole(before), "lane", "doing") == whole(after)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("dependencies: []", ["WP01"], "dependencies: [WP01]"),
        ('dependencies: ["WP01"]  # c', ["WP02", "WP03"], 'dependencies: ["WP02", "WP03"]  # c'),
        ("dependencies:\n- WP01\n- WP02\ntitle: x", ["WP03"], "dependencies:\n- WP03\ntitle: x"),
        ("dependencies:\n  - 'WP01'\n# c\ntitle: x", ["WP02", "WP03"],
         "dependencies:\n  - 'WP02'\n  - 'WP03'\n# c\ntitle: x"),
        ("dependencies:\n  - WP01", [], "dependencies:\n  []"),
        ("dependencies: WP01, WP02", ["WP01"], "dependencies: [WP01]"),
        ("dependencies:", ["WP01"], "dependencies: [WP01]"),
        ("title: x", [], "title: x\ndependencies: []"),
    ],
)  # fmt: skip
def test_a_list(before: str, value: list[str], after: str) -> None:
    def whole(block: str) -> bytes:
        return f"---\n{block}\n---\n".encode()

    assert set_field(whole(before), "dependencies", value) == whole(after)


@pytest.mark.parametrize("value", ["no", "12", "1.5", "2026-01-01", "a: b", "- a", "ü", 'say "hi"', "", "null", "a #b"])
def test_words_that_another_reader_may_take_for_something_else_are_quoted(value: str) -> None:
    for before in ("agent: x", "agent: 'x'", 'agent: "x"', "title: y"):
        edited = edit(PATH, f"---\n{before}\n---\n".encode(), Change({"agent": value}), NAMES)
        assert read(edited).agent == (value or None)


BODIES = {
    "at the end of the list": (f"## Activity Log\n\n{record('2026-01-01T10:00:00Z', 'planned')}\n", "{list}"),
    "before a heading": (
        "## Activity Log\n\n- 2026-01-01T10:00:00Z – system – lane=planned – Made\n\n## Next\n",
        "## Activity Log\n\n- 2026-01-01T10:00:00Z – system – lane=planned – Made\n{line}\n\n## Next\n",
    ),
    "after what is indented": (
        "- 2026-01-01T10:00:00Z – a – lane=planned – Made\n  more\n\n  ```\n- no item\n  ```\n\nText.\n",
        "- 2026-01-01T10:00:00Z – a – lane=planned – Made\n  more\n\n  ```\n- no item\n  ```\n{line}\n\nText.\n",
    ),
    "not in a fence": (
        "## Activity Log\n\n```\n- 2026-01-01T10:00:00Z – a – lane=doing – Example\n```\n\n---\n\n### Lanes\n",
        "## Activity Log\n\n```\n- 2026-01-01T10:00:00Z – a – lane=doing – Example\n```\n\n"
        "{line}\n\n---\n\n### Lanes\n",
    ),
    "after records outside of their section": (
        "## Activity Log\n\n- 2026-01-01T10:00:00Z – a – lane=planned – x\n\n### Lanes\n\nText\n"
        "- 2026-01-01T11:00:00Z – a – lane=planned – y\n",
        "## Activity Log\n\n- 2026-01-01T10:00:00Z – a – lane=planned – x\n\n### Lanes\n\nText\n"
        "- 2026-01-01T11:00:00Z – a – lane=planned – y\n{line}\n",
    ),
    "no final line end": (
        "## Activity Log\n\n- 2026-01-01T10:00:00Z – a – lane=planned – x",
        "## Activity Log\n\n- 2026-01-01T10:00:00Z – a – lane=planned – x\n{line}",
    ),
    "a section without a list": (
        "## Activity Log\n\n> Oldest first.\n", "## Activity Log\n\n> Oldest first.\n\n{line}\n"),
    "an empty section": ("# T\n\n## Activity Log\n## Next\n", "# T\n\n## Activity Log\n\n{line}\n\n## Next\n"),
    "fences nested wrongly before the section": (
        "```markdown\nText\n```python\nx\n```\n```\n\n## Activity Log\n",
        "```markdown\nText\n```python\nx\n```\n```\n\n## Activity Log\n\n{line}\n",
    ),
    "no section after a fence without an end": (
        "```sh\nx\n", "```sh\nx\n\n## Activity Log\n\n{line}\n"),
    "no section": ("# T\n\nText.\n", "# T\n\nText.\n\n## Activity Log\n\n{line}\n"),
    "no section, no final line end": ("Text.", "Text.\n\n## Activity Log\n\n{line}"),
    "no body": ("", "\n## Activity Log\n\n{line}\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_record(name: str, line_end: str) -> None:
    before, after = BODIES[name]
    after = f"{before}{LINE}\n" if after == "{list}" else after.replace("{line}", LINE)

    def whole(body: str) -> bytes:
        return f"---\nlane: planned\n---\n{body}".replace("\n", line_end).encode()

    assert append_record(whole(before), LINE) == whole(after)


def test_fenced_code_without_an_end_is_named() -> None:
    """Only after the heading: what is open there is closed by it."""
    listed = b"- 2026-01-01T10:00:00Z \xe2\x80\x93 a \xe2\x80\x93 lane=planned \xe2\x80\x93 Made\n  ```sh\n  x\n"
    with pytest.raises(EditError, match="begins in line 8 has no end"):
        edit(PATH, b"---\nlane: planned\n---\n\n## Activity Log\n\n" + listed, MOVE, NAMES)


def test_an_edit_that_would_read_back_otherwise_is_refused() -> None:
    """A file that ends its document early reads nothing of what comes after."""
    with pytest.raises(EditError, match="more than it should"):
        edit(PATH, b"---\ntitle: x\n...\n---\n", Change({"lane": "doing"}), NAMES)
    with pytest.raises(EditError, match="is a list"):
        edit(PATH, b"---\nlane: [planned]\n---\n", MOVE, NAMES)
    with pytest.raises(EditError, match="no frontmatter"):
        edit(PATH, b"text\n", MOVE, NAMES)


@pytest.mark.parametrize("agent", ["a – b", "", " "])
def test_a_record_that_would_read_back_otherwise_is_refused(agent: str) -> None:
    with pytest.raises(EditError):
        edit(PATH, work_package_text().encode(), Change({}, NewRecord(NOON, agent, "doing", "x")), NAMES)


VALUES = st.sampled_from(
    ["planned", "'planned'", '"planned"', "planned # c", "|\n  planned\n", ">-\n  planned", "", "~", "'planned'  # ü"]
)
OTHERS = st.lists(
    st.sampled_from(
        [
            "title: ü",
            "agent: 'x'  # y",
            "history:\n- lane: doing\n  at: 'x'\n",
            "# lane: done",
            "",
            "subtasks: [T001,\n  T002]",
            "text: |\n  lane: done\n\n  more\n",
            "quoted: 'a\n\n  b'",
            "   ",
            "nested:\n    lane: done",
            '"k": "\\u00fc"',
        ]
    ),
    max_size=5,
)
LINES = st.lists(
    st.sampled_from(
        [
            "",
            "Text",
            "## Activity Log",
            "# activity log",
            "## Next",
            "---",
            "```",
            "````md",
            "~~~",
            "  ```",
            "- item",
            "  indented",
            "* star",
            "- 2026-01-01T10:00:00Z – a – lane=planned – x",
            "- 2026-01-01T10:00:00Z - a - shell_pid=1 - lane=doing - x",
            "> quote",
            "\t",
            "1. one",
        ]
    ),
    max_size=12,
)


def log(data: bytes) -> bytes:
    """The file with a record more; no example where fenced code has no end, which the error says."""
    try:
        return edit(PATH, data, Change({}, RECORD), NAMES)
    except EditError as error:
        assume("has no end" not in str(error))
        raise


@given(VALUES, OTHERS, OTHERS, LINES, st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_nothing_but_the_change(
    value: str, above: list[str], below: list[str], body: list[str], final: bool, line_end: str, bom: bool
) -> None:
    lines = ["---", *above, *([f"lane: {value}"] if value != "~" else []), *below, "---", *body]
    text = "\n".join(lines) + ("\n" if final else "")
    data = (("\ufeff" if bom else "") + text.replace("\n", line_end)).encode()
    found = read_work_package(PATH, data, NAMES)
    assume(isinstance(found, WorkPackage))
    edited = edit(PATH, data, Change({"lane": "for_review"}), NAMES)
    old, new = difference(data, edited)
    assert len(old) <= len(b"|\r\n  planned\r\n")
    assert len(new) <= len(b"lane: for_review\r\n")
    assert read(edited).lane == "for_review"
    logged = log(data)
    ends = [line_end * count for count in range(3)]
    heading = f"## Activity Log{line_end * 2}"
    pieces = [f"{end}{head}{LINE}{rest}" for end in ends for head in ("", heading) for rest in ends[:2]]
    assert any(logged.replace(piece.encode(), b"", 1) == data for piece in pieces)
    if line_end != "\n":
        assert "\n" not in logged.decode().replace(line_end, "")
    assert read(logged).trail[-1].lane == "doing"


@given(st.text(), st.text(), st.text())
def test_any_text_is_noted_or_refused(agent: str, note: str, value: str) -> None:
    """No text of a note or an agent can forge a second record or a field."""
    change = Change({"agent": value}, NewRecord(NOON, agent, "doing", note))
    data = work_package_text(trail=[record("2026-01-01T10:00:00Z", "planned")]).encode()
    try:
        edited = edit(PATH, data, change, NAMES)
    except EditError:
        return
    before, after = read(data), read(edited)
    assert len(after.trail) == len(before.trail) + 1
    assert (after.lane, after.title, after.agent) == (before.lane, before.title, value.strip() or None)


def test_boxes() -> None:
    data = b"- [ ] T001 One\r\n  * [x] **T002** Two\r\n- [ ] T0011 Other\r\n- [ ] see T001\r\n"
    marked, missing = mark(data, ["T001", "T002", "T009"], done=True)
    assert marked == data.replace(b"- [ ] T001 ", b"- [x] T001 ")
    assert missing == {"T009"}
    assert mark(marked, ["T001"], done=False)[0] == data
