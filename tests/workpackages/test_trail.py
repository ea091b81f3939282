"""R4: the lane records in a work package's own activity log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.workpackages.trail import Record, digest, read_trail
from tests.builders import record

GOOD = record("2026-01-01T10:00:00Z", "doing")
TEN = datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_a_record() -> None:
    assert read_trail(GOOD) == (Record(TEN, "claude", "doing", "Moved"),)


@pytest.mark.parametrize("dash", ["-", "–", "—"])
@pytest.mark.parametrize("shell_pid", [None, "", "12345"])
def test_dashes_and_shell_pid(dash: str, shell_pid: str | None) -> None:
    """R4: the separators are hyphens, en or em dashes between spaces; shell_pid=… may stand between."""
    line = record("2026-01-01T10:00:00Z", "for_review", agent="some-agent", shell_pid=shell_pid, dash=dash)
    assert read_trail(line) == (Record(TEN, "some-agent", "for_review", "Moved"),)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T10:00:00Z",
        "2026-01-01t10:00:00z",
        "2026-01-01 10:00:00Z",
        "2026-01-01T10:00Z",
        "2026-01-01T10:00:00.000Z",
        "2026-01-01T11:00:00+01:00",
        "2026-01-01T11:00:00+0100",
        "2026-01-01T11:00:00+01",
        "2026-01-01T04:30:00-05:30",
    ],
)
def test_times_with_a_zone(moment: str) -> None:
    """R4: an ISO 8601 time with a zone; all of these are one moment."""
    assert [one.moment for one in read_trail(record(moment, "doing"))] == [TEN]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T10:00:00",
        "2026-01-01 10:00",
        "2026-01-01",
        "10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T10:00:00+99:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "yesterday",
        "[2026-01-01T10:00:00Z]",
        "",
    ],
)
def test_records_without_a_time_and_a_zone_are_ignored(moment: str) -> None:
    assert read_trail(f"{record(moment, 'doing')}\n{GOOD}") == read_trail(GOOD)


@pytest.mark.parametrize(
    "line",
    [
        "  - 2026-01-01T10:00:00Z – claude – lane=doing – nested",
        "\t- 2026-01-01T10:00:00Z – claude – lane=doing – nested",
        "  * 2026-01-01T10:00:00Z – claude – lane=doing – nested",
        "* 2026-01-01T10:00:00Z – claude – lane=doing – another bullet",
        "1. 2026-01-01T10:00:00Z – claude – lane=doing – numbered",
        "2026-01-01T10:00:00Z – claude – lane=doing – no item",
        "> - 2026-01-01T10:00:00Z – claude – lane=doing – quoted",
        "-2026-01-01T10:00:00Z – claude – lane=doing – no space",
        "- 2026-01-01T10:00:00Z–claude–lane=doing–no spaces",
        "- 2026-01-01T10:00:00Z − claude − lane=doing − a minus sign",
        "- 2026-01-01T10:00:00Z – claude – doing – no lane=",
        "- 2026-01-01T10:00:00Z – lane=doing – no agent",
        "- 2026-01-01T10:00:00Z – claude – we talked about lane=doing – later",
        "- 2026-01-01T10:00:00Z – claude – moved – lane=doing – words between",
        "- note – claude – lane=doing – no time",
        "<!-- - 2026-01-01T10:00:00Z – claude – lane=doing – -->",
    ],
)
def test_what_is_no_record(line: str) -> None:
    """R4: only top-level list items of the one form."""
    assert read_trail(f"{GOOD}\n{line}\n") == read_trail(GOOD)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("```", "```"),
        ("```markdown", "```"),
        ("~~~", "~~~"),
        ("~~~ text `x`", "~~~"),
        ("````", "````"),
        ("```", "`````"),
        ("   ```", "  ```"),
        ("```", "```  "),
    ],
)
def test_fences_hide_records(opening: str, closing: str) -> None:
    """R4: templates show example records inside fences: those don't count, and what follows the fence does."""
    later = record("2026-01-01T11:00:00Z", "done")
    inside = record("2026-01-01T09:00:00Z", "planned")
    body = f"{GOOD}\n{opening}\n{inside}\n{closing}\n{later}\n"
    assert [one.lane for one in read_trail(body)] == ["doing", "done"]


@pytest.mark.parametrize(
    ("opening", "inner"),
    [("````", "```"), ("~~~~", "~~~"), ("```", "~~~"), ("~~~", "```"), ("```", "``` still inside"), ("```", "    ```")],
)
def test_what_does_not_close_a_fence(opening: str, inner: str) -> None:
    """A shorter fence, one of the other kind, one with text or an indented one closes nothing."""
    assert read_trail(f"{opening}\n{inner}\n{GOOD}\n{opening}\n") == ()


@pytest.mark.parametrize("line", ["```x```", "``` code ``` and more", "``", "`", "~~", "    ```", "x ```", "- ```"])
def test_what_opens_no_fence(line: str) -> None:
    """Inline code, fewer than three marks, and an indented fence open nothing."""
    assert read_trail(f"{line}\n{GOOD}\n") == read_trail(GOOD)


def test_an_unclosed_fence_hides_the_rest() -> None:
    """As Markdown has it: code to the end of the document."""
    assert read_trail(f"{GOOD}\n```\n{GOOD}\n") == read_trail(GOOD)


NESTED = "```markdown\n# Example\n\n```python\nx = 1\n```\n\nText\n```\n"  # leaves a fence open


@pytest.mark.parametrize("heading", ["## Activity Log", "##  activity log ", "## Activity Log ##"])
@pytest.mark.parametrize("before", [NESTED, "```\n", "~~~~ text\n", "```\n## Activity Log\n\n```md\n"])
def test_the_activity_log_ends_fences_that_are_nested_wrongly(before: str, heading: str) -> None:
    """R4, scenario 49: a fence that is still open where the last such heading stands is closed there."""
    later = record("2026-01-01T11:00:00Z", "done")
    body = f"{before}\n{heading}\n\n{GOOD}\n```\n{GOOD}\n```\n{later}\n"
    assert [one.lane for one in read_trail(body)] == ["doing", "done"]


@pytest.mark.parametrize(
    "line", ["# Activity Log", "### Activity Log", " ## Activity Log", "## Activity Logs", "## The Activity Log"]
)
def test_what_ends_no_fence(line: str) -> None:
    assert read_trail(f"```\n{line}\n{GOOD}\n") == ()


def test_only_the_last_heading_ends_a_fence() -> None:
    """The example in a template comes first, and its records stay hidden."""
    example = record("2026-01-01T09:00:00Z", "for_review")
    body = f"```markdown\n## Activity Log\n{example}\n```\n\n## Activity Log\n\n{GOOD}\n"
    assert read_trail(body) == read_trail(GOOD)


def test_records_anywhere_in_the_body_in_the_order_of_lines() -> None:
    """R4: anywhere; a time that runs backwards is read as it stands, D3 judges it."""
    lines = [record("2026-01-02T10:00:00Z", "done"), "## Heading", "", "text", GOOD]
    assert [one.lane for one in read_trail("\n".join(lines))] == ["done", "doing"]


def test_a_lane_stays_as_written() -> None:
    """An unknown lane can be told from a missing record."""
    assert [one.lane for one in read_trail(record("2026-01-01T10:00:00Z", "foo"))] == ["foo"]


def test_a_note_may_hold_dashes_and_lanes() -> None:
    """The first lane= counts; the note is all that follows."""
    (one,) = read_trail(f"{GOOD} - and lane=done – too")
    assert (one.lane, one.note) == ("doing", "Moved – and lane=done – too")


def test_a_record_without_a_note() -> None:
    assert read_trail("- 2026-01-01T10:00:00Z – claude – lane=doing") == (Record(TEN, "claude", "doing", ""),)


def test_a_polished_note_leaves_the_digest() -> None:
    """What makes two records the same is when, who and where to."""
    polished = record("2026-01-01T11:00:00+01:00", "doing", note="Moved to doing", shell_pid="7", dash="-")
    other_agent = record("2026-01-01T10:00:00Z", "doing", agent="codex")
    assert digest(read_trail(GOOD)) == digest(read_trail(polished)) != ""
    assert digest(read_trail(GOOD)) != digest(read_trail(other_agent))
    assert digest(()) == ""


def test_a_hostile_line_takes_no_longer_than_its_length() -> None:
    """A long run of spaces within the size that a file may have; quadratic time would be half an hour."""
    assert read_trail("- " + "x" + " " * 1_000_000 + "lane=doing") == ()
    assert read_trail("## Activity Log" + " " * 1_000_000 + "lane=doing") == ()
    assert read_trail("lane=\n" + "```\n## Activity Log\n" * 50_000) == ()


@given(st.text(alphabet="-–— `~\nlane=doingTZ0123456789:+x", max_size=300))
def test_any_body_has_a_trail(body: str) -> None:
    """No text raises, and whatever is read is complete."""
    for one in read_trail(f"{GOOD}\n{body}"):
        assert one.moment.tzinfo is UTC
        assert one.agent
