"""What holds for every history, however it is observed."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st

from kittywatch.derive.book import Book, tell
from kittywatch.derive.snapshot import Snapshot
from kittywatch.derive.steps import Step
from kittywatch.derive.tellings import PackageTold, Telling
from kittywatch.workpackages.lanes import LANES
from kittywatch.workpackages.reader import WorkPackage
from tests.derive.packages import KEY, chain_holds, moved, package, rules, snapshot

LIVE, HISTORY = rules(), rules("history")


@dataclass(frozen=True)
class Content:
    """One content of a history: what the file says, and whether it states a valid lane."""

    package: WorkPackage
    minute: int

    @property
    def lane(self) -> str | None:
        return self.package.lane


_LANES = st.sampled_from(sorted(LANES))
_ALIASES = {"doing": "in_progress", "for_review": "approved"}


@st.composite
def histories(draw: st.DrawFn, *, trails: bool | None = None) -> list[Content]:
    """Contents of one work package, each from the one before by an edit.

    With `trails` every move of the lane has its record; without, none has; None mixes. Between them stand edits that
    move nothing: a note, a repeated record, a body, a lane that is none.
    """
    lane, minute, trail = draw(_LANES), 0, [moved(0, "planned")] if trails else []
    contents: list[Content] = []
    if lane != "planned" and (trails or (trails is None and draw(st.booleans()))):
        trail = [*trail, moved(1, lane, "first")]
    contents.append(Content(package(lane, trail), 1))
    for minute in range(2, draw(st.integers(2, 8)) + 1):
        edit = draw(st.sampled_from(["move", "move", "move", "alias", "note", "repeat", "body", "broken"]))
        if edit == "move":
            lane = draw(st.sampled_from([one for one in sorted(LANES) if one != lane]))
            if trails or (trails is None and draw(st.booleans())):
                trail = [*trail, moved(minute, lane, draw(st.sampled_from(["claude", "codex"])))]
        elif edit == "note":
            trail = [*trail, "- a note without a lane"]
        elif edit == "repeat":
            trail = [*trail, moved(minute, lane)]
        written = {"alias": _ALIASES.get(lane, lane), "broken": "foo"}.get(edit, lane)
        contents.append(Content(package(written, trail, body="More. " * minute), minute))
    return contents


def observe(book: Book, contents: list[Content], *, twice: bool = False) -> list[Telling]:
    """Look at some contents, one after the other."""
    tellings: list[Telling] = []
    for content in contents:
        for _ in range(2 if twice else 1):
            tellings += tell(book, shot(content), LIVE)
        book.saved()
    return tellings


def shot(content: Content) -> Snapshot:
    return snapshot(content.package, minute=content.minute, commit=f"c{content.minute}")


def steps(tellings: list[Telling]) -> list[Step]:
    return [one.told.step for one in tellings if isinstance(one, PackageTold) and one.told.step is not None]


def ids(tellings: list[Telling]) -> list[str | None]:
    return [one.told.entry.event_id for one in tellings if isinstance(one, PackageTold)]


def some(draw: st.DataObject, contents: list[Content]) -> list[Content]:
    """Any observations of a history that see its end."""
    kept = draw.draw(st.lists(st.booleans(), min_size=len(contents) - 1, max_size=len(contents) - 1))
    return [one for one, keep in zip(contents, [*kept, True], strict=True) if keep]


@given(histories())
def test_feeding_the_same_content_twice_adds_nothing(contents: list[Content]) -> None:
    """O1: neither each content twice in a row nor the whole history once more, live or as a replay."""
    once, doubled = Book(), Book()
    first = observe(once, contents)
    assert ids(first) == ids(observe(doubled, contents, twice=True))
    entries = list(once.log(KEY).entries)
    for mode in (LIVE, HISTORY):
        once.known = {}
        for content in contents:
            assert tell(once, shot(content), mode) == []
    assert once.log(KEY).entries == entries


@given(histories(), st.data())
def test_any_observations_agree_in_their_ends(contents: list[Content], data: st.DataObject) -> None:
    """D1, D2, O10: a chain from planned to the last valid lane, whoever looked how often."""
    last = next((one.lane for one in reversed(contents) if one.lane is not None), None)
    seen = some(data, contents)
    last_seen = next((one.lane for one in reversed(seen) if one.lane is not None), None)
    for observed, end in ((contents, last), (seen, last_seen)):
        chain = steps(observe(Book(), observed))
        assert chain_holds(chain)
        if chain:
            assert chain[0].previous == "planned"
        assert (chain[-1].new if chain else "planned") == (end or "planned")
    if contents[-1].lane is not None:
        assert last == last_seen


@given(histories(trails=True), st.data())
def test_with_full_trails_any_observations_tell_the_same(contents: list[Content], data: st.DataObject) -> None:
    """D3, O9: identical chains, with identical event ids.

    Between two looks at one lane there is no difference, and rightly nothing to tell (D1); such looks are left out.
    """
    valid = [one for one in contents if one.lane is not None]
    kept: list[Content] = []
    for content in some(data, contents):
        if content.lane is not None and content.lane != (kept[-1].lane if kept else "planned"):
            kept.append(content)
    while kept and kept[-1] is not valid[-1] and kept[-1].lane == valid[-1].lane:
        kept.pop()
    assume(kept or valid[-1].lane != "planned")
    if not kept or kept[-1] is not valid[-1]:
        kept.append(valid[-1])
    whole, part = observe(Book(), contents), observe(Book(), kept)
    assert steps(whole) == steps(part)
    assert ids(whole)[1:] == ids(part)[1:]


@given(histories(), st.integers(0, 8))
def test_two_views_that_take_turns_tell_each_step_once(contents: list[Content], split: int) -> None:
    """O1, O4: a second view that follows the same commits later tells nothing that the first one told."""
    alone, shared = Book(), Book()
    expected = ids(observe(alone, contents))
    told = observe(shared, contents[:split])
    first, shared.known = shared.known, {}
    told += observe(shared, contents)
    shared.known = first
    assert observe(shared, contents[split:]) == []
    assert ids(told) == expected
