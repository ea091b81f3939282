"""Event logs, line by line (rules E1 to E9)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittywatch.workpackages import event_log
from kittywatch.workpackages.check import check_feature
from kittywatch.workpackages.event_log import MAX_BYTES, Log, LogReader
from kittywatch.workpackages.lanes import LaneNames
from kittywatch.workpackages.stated import StatedStep

PATH = "kitty-specs/002-mission/status.events.jsonl"
ID = "01KMD00000000000000000000A"


def written(**changes: Any) -> str:
    fields = {
        "event_id": ID,
        "wp_id": "WP01",
        "from_lane": "planned",
        "to_lane": "claimed",
        "at": "2026-03-01T12:00:00+00:00",
        "actor": "claude",
    }
    return json.dumps({key: value for key, value in (fields | changes).items() if value is not ...})


def read(*lines: str, end: str = "\n") -> Log:
    return LogReader().read("".join(line + end for line in lines).encode())


def step(**changes: Any) -> StatedStep:
    log = read(written(**changes))
    assert log.faults == ()
    ((found,),) = log.lanes.values()
    return found


@pytest.mark.parametrize(
    "line",
    [
        "",
        "  ",
        written(kind="annotation"),
        written(kind="retrospective"),
        written(event_type="WPCreated"),
        written(event_name="x"),
        written(to_lane=...),
        written(wp_id=...),
        '{"anything": [1, 2]}',
    ],
)
def test_what_is_no_lane_line_is_passed_over(line: str) -> None:
    assert read(line) == Log()


def test_keys_that_are_missing_or_more_are_no_error() -> None:
    """E1."""
    bare = json.dumps({"wp_id": "WP100", "to_lane": "planned", "event_id": ID, "extra": {"deep": [None]}})
    (found,) = read(bare).lanes["WP100"]
    assert (found.previous, found.new, found.agent, found.moves) == ("genesis", "planned", "user", False)
    assert found.moment.year == 2026, "the time of the id, where there is no other"
    assert read(bare.replace(ID, "no ulid")).faults != ()


def test_the_order_is_the_time_and_then_the_id() -> None:
    """E3: moments, with Z or an offset, with microseconds or without."""
    later, first = "01KMD00000000000000000000B", "01KMD00000000000000000000C"
    lines = [
        written(event_id=later, at="2026-03-01T12:00:00Z"),
        written(at="2026-03-01T13:00:00.000000+01:00"),
        written(event_id=first, at="2026-03-01T11:59:59.999999+00:00"),
    ]
    assert [one.id for one in read(*lines).lanes["WP01"]] == [first, ID, later]


def test_the_first_content_of_an_id_counts() -> None:
    """E2."""
    (found,) = read(written(), written(actor="codex", to_lane="in_progress")).lanes["WP01"]
    assert (found.agent, found.new) == ("claude", "claimed")


@pytest.mark.parametrize(
    ("actor", "agent"),
    [
        ("claude:opus:pedro:implementer", "claude:opus:pedro:implementer"),
        ({"tool": "codex", "profile": "p", "role": "r"}, "codex"),
        ({"tool": "__resolved_tool_absent__", "profile": "p", "role": "r"}, "p"),
        ({"role": "r"}, "r"),
        ({}, "user"),
        ("", "user"),
        (None, "user"),
        (7, "user"),
    ],
)
def test_the_agent(actor: object, agent: str) -> None:
    """E7, E8: what could not be resolved is nothing."""
    assert step(actor=actor).agent == agent


@pytest.mark.parametrize(
    ("reference", "kept"),
    [
        ("review:1", "review:1"),
        ("feedback://demo/WP01/1.md", "feedback://demo/WP01/1.md"),
        ("/home/me/feedback.md", None),
        ("C:\\Users\\me\\feedback.md", None),
        ("./feedback.md", None),
        ("~/feedback.md", None),
        (None, None),
    ],
)
def test_a_path_is_no_reference(reference: str | None, kept: str | None) -> None:
    """E8."""
    assert step(review_ref=reference).review_ref == kept


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[1]",
        '"text"',
        written(to_lane="attic"),
        written(from_lane=7),
        written(wp_id="X1"),
        written(at="yesterday", event_id="x"),
        "\udcff",
    ],
)
def test_a_line_that_is_none_is_a_fault_and_its_neighbors_count(bad: str) -> None:
    """E9: with its number, and nothing of what it says."""
    data = "\n".join(["", written(), bad, written(event_id=ID[:-1] + "B", wp_id="WP02"), ""])
    log = LogReader().read(data.encode("utf-8", "surrogateescape"))
    assert list(log.lanes) == ["WP01", "WP02"]
    (fault,) = log.faults
    assert fault.line == 3
    assert "attic" not in fault.reason


def test_a_conflict_is_one_fault_and_both_sides_count() -> None:
    """E9."""
    mine, theirs = written(), written(event_id=ID[:-1] + "B", wp_id="WP02")
    log = read("<<<<<<< HEAD", mine, "=======", theirs, ">>>>>>> other")
    assert (list(log.lanes), [fault.line for fault in log.faults]) == (["WP01", "WP02"], [1])


def test_other_line_ends_and_a_byte_order_mark() -> None:
    assert LogReader().read(b"\xef\xbb\xbf" + f"{written()}\r\n".encode()).lanes == read(written()).lanes


def test_a_log_that_is_too_large_is_a_fault() -> None:
    (fault,) = LogReader().read(b" " * (MAX_BYTES + 1)).faults
    assert "larger than 64 MiB" in fault.reason


LINES = st.lists(
    st.one_of(
        st.builds(
            lambda n, wp, lane, at: written(event_id=f"{ID[:-1]}{n}", wp_id=f"WP0{wp}", to_lane=lane, at=at),
            st.integers(0, 9),
            st.integers(1, 3),
            st.sampled_from(["claimed", "done", "attic"]),
            st.integers(10, 12).map(lambda hour: f"2026-03-01T{hour}:00:00Z"),
        ),
        st.sampled_from(["<<<<<<< a", "=======", ">>>>>>> b", "{", "", written(kind="x")]),
    ),
    max_size=8,
)


@given(LINES, LINES, st.booleans())
def test_a_log_that_is_added_to_reads_as_if_it_were_new(before: list[str], after: list[str], half: bool) -> None:
    """Read on from where it was, or not: what it says is a function of its bytes."""
    first = "".join(f"{line}\n" for line in before)[: -2 if half else None].encode()
    whole = "".join(f"{line}\n" for line in before + after).encode()
    reader = LogReader()
    reader.read(first, PATH)
    assert reader.read(whole, PATH) == LogReader().read(whole)
    assert reader.read(first, PATH) == LogReader().read(first)


def test_times_are_moments() -> None:
    assert step(at="2026-03-01T13:00:00+01:00").moment == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_log_is_checked_before_a_commit() -> None:
    """With file and line; a lane of frontmatter that the log silences is no finding (rule E12)."""
    file = "kitty-specs/002-mission/tasks/WP01-x.md"
    files = {file: b"---\nwork_package_id: WP01\ntitle: x\nlane: blocked\n---\n"}
    names = LaneNames()
    assert [str(one) for one in check_feature(files, None, names)] == [
        f"{file}:4: the lane is none of planned, doing, for_review, done"
    ]
    assert check_feature(files, None, names, (PATH, f"{written()}\n".encode())) == []
    found = check_feature(files, None, names, (PATH, f"{written()}\n{{\n".encode()))
    assert [str(one) for one in found] == [f"{PATH}:2: the line is no JSON object"]


# What a key may have instead of what it usually has; ... takes it away.
_INSTEAD: dict[str, list[Any]] = {
    "event_id": [..., None, 7, " x ", "no-ulid", ""],
    "wp_id": [..., None, "WP1x", "T001", ["WP01"]],
    "from_lane": [..., None, "genesis", " Doing ", "nowhere", 3],
    "to_lane": ["genesis", "in_progress", "doing", "nowhere", {}],
    "at": [
        ...,
        None,
        "x",
        1,
        *(f"2026-03-01T12:00:00{zone}" for zone in ("Z", "z", "+02:00", "-00:00", "", ".5Z", " ")),
    ],
    "actor": [..., None, "", "  ", {"tool": "codex"}, "__resolved_actor_absent__"],
    "reason": ["because", " ", "__resolved_reason_absent__", 1],
    "force": [True, "yes"],
    "execution_mode": ["worktree", 1],
    "evidence": [{"a": 1}],
    "review_ref": ["/etc/passwd", "PR 7"],
    "review_result": [{"verdict": "approved"}],
    "more": [{"of": "it"}],
    "kind": [None, "annotation", "retrospective"],
}
_ODD = [
    *("", "  ", "{broken", "[1]", "<<<<<<< HEAD", '{"event_type": "WPCreated"}', written() + written()),
    *(written(**{key: value}) for key, values in _INSTEAD.items() for value in values),
]


@pytest.mark.parametrize("odd", _ODD)
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_long_log_says_what_its_lines_say(odd: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read together or one by one, for speed alone."""
    usual = [written(event_id=f"{ID[:-3]}{number:03}", reason="done") for number in range(120)]
    data = ("\n".join([*usual, odd, usual[7], written(event_id=f"{ID[:-1]}C")]) + end).encode()
    together = LogReader().read(data)
    monkeypatch.setattr(event_log, "_MANY", 1_000)
    assert LogReader().read(data) == together
    assert len(together.lanes["WP01"]) >= 120
