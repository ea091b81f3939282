"""Notes, review feedback, and who takes a work package on (rules of `annotations`)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from kittywatch.derive.annotations import place_of, see_silently
from kittywatch.derive.facts import AnnotationFact, Note
from kittywatch.derive.seen import SeenKeys, feedback_key, pairs_up, record_keys
from kittywatch.workpackages.reader import WorkPackage
from tests.builders import record
from tests.derive.packages import KEY, NAMES, NOON, at, moved, package
from tests.derive.world import World

CREATED = record(at(0), "planned", agent="system", note="Prompt created")
FEEDBACK = "## Review Feedback\n\nNames are missing.\n\n## More"


@pytest.fixture
def world() -> World:
    """Nothing yet, observed."""
    return World(start=[{}])


def note(minute: int, lane: str, text: str = "halfway", agent: str = "claude") -> str:
    return record(at(minute), lane, agent=agent, note=text)


def says(world: World, one: WorkPackage) -> list[str]:
    """What a commit emits besides the feature, the creation and the steps."""
    return _besides(world.emits(one))


def _besides(words: list[str]) -> list[str]:
    found = [word.removeprefix("WP01 ") for word in words]
    return [word for word in found if "→" not in word and word != "created" and not word.startswith("feature")]


def assigned(world: World) -> list[str]:
    """Who was assigned, in the order of the ledger."""
    return [f"{one.agent} {one.status}" for one in world.state.history(KEY).assignments()]


# Notes (rule 1).


def test_a_note_names_the_lane_that_it_was_in(world: World) -> None:
    assert says(world, package("doing", [CREATED, moved(1, "doing")])) == []
    assert says(world, package("doing", [CREATED, moved(1, "doing"), note(2, "doing")])) == ["note: halfway"]


def test_after_a_lane_without_a_record(world: World) -> None:
    """The first record that was appended is compared with the lane before the change, and may be the first of all."""
    for one in (package("planned"), package("doing")):
        assert says(world, one) == []
    assert says(world, package("doing", [note(2, "doing")])) == ["note: halfway"]


def test_the_creation_record_is_none(world: World) -> None:
    assert says(world, package("planned", [CREATED])) == []
    assert says(world, package("planned", [CREATED, note(1, "planned", "refined")])) == ["note: refined"]


def test_a_record_that_names_no_lane_is_neither(world: World) -> None:
    """And leaves the lane as it is for the next one."""
    trail = [CREATED, note(1, "somewhere", "what?"), note(2, "planned", "refined")]
    assert says(world, package("planned", trail)) == ["note: refined"]


def test_a_record_without_words_says_its_lane(world: World) -> None:
    trail = [CREATED, f"- {at(1)} – claude – lane=planned"]
    assert says(world, package("planned", trail)) == ["note: lane=planned"]


def test_without_a_lane_nothing_is_said(world: World) -> None:
    """Rule R3: until the lane is mended."""
    says(world, package("doing", [CREATED, moved(1, "doing")]))
    trail = [CREATED, moved(1, "doing"), note(2, "doing")]
    assert says(world, package("foo", trail, agent="ada")) == []


def test_in_the_order_of_the_trail(world: World) -> None:
    trail = [CREATED, moved(1, "doing"), note(2, "doing", "half"), moved(3, "for_review"), moved(4, "done", "rita")]
    assert world.emits(package("done", trail))[1:] == [
        "WP01 created",
        "WP01 planned→doing",
        "WP01 note: half",
        "WP01 doing→for_review",
        "WP01 review by rita, 0 before",
        "WP01 for_review→done",
    ]


def test_whose_feedback_it_is() -> None:
    """The reviewer's, else the agent's, else nobody's name."""
    named = replace(package("planned", agent="ada", body=FEEDBACK), reviewer="rita")
    for one, author in (
        (named, "rita"),
        (replace(named, reviewer=None), "ada"),
        (replace(named, reviewer=None, agent=None), "user"),
    ):
        world = World(start=[{}])
        world.emits(one)
        (fact,) = (fact for fact in world.facts if isinstance(fact, AnnotationFact))
        assert fact.annotation.what == Note("review", "Names are missing.", author)


# Each once, whoever sees it (rule 2).


def test_once_for_all_checkouts_and_replays(world: World) -> None:
    start, one = world.tip, package("doing", [CREATED, moved(1, "doing"), note(2, "doing")], agent="ada", body=FEEDBACK)
    assert says(world, one) == ["note: halfway", "review: Names are missing.", "implementation by ada, 0 before"]
    before = list(world.facts)
    world.checkout_name = "other"
    world.checkout("other", start)
    world.go(world.refs["main"])
    world.replay()
    assert world.facts == before


def test_two_of_one_second(world: World) -> None:
    trail = [CREATED, note(2, "planned", "one"), note(2, "planned", "two")]
    assert says(world, package("planned", trail)) == ["note: one", "note: two"]


def test_a_polished_note_and_a_mixed_up_trail(world: World) -> None:
    """Known is a record by when, who and where to; only what nobody has seen is news."""
    says(world, package("planned", [CREATED, note(2, "planned", "hlaf")]))
    assert says(world, package("planned", [CREATED, note(2, "planned", "half")])) == []
    mixed = [CREATED, note(1, "planned", "a"), note(2, "planned", "half")]
    assert says(world, package("planned", mixed)) == ["note: a"]


def test_feedback_once_for_each_text(world: World) -> None:
    assert says(world, package("for_review", body=FEEDBACK)) == ["review: Names are missing."]
    assert says(world, package("doing", body=FEEDBACK)) == []
    other = FEEDBACK.replace("Names", "Tests")
    assert says(world, package("for_review", body=other)) == ["review: Tests are missing."]


def test_what_came_from_elsewhere_is_seen_there(world: World) -> None:
    says(world, package("doing", [CREATED, moved(1, "doing")]))
    theirs = package("doing", [CREATED, moved(1, "doing"), note(2, "doing", "theirs")], body=FEEDBACK)
    before = len(world.facts)
    world.go(world.theirs({"WP01": theirs}, world.tip))
    assert world.words[before:] == []
    seen = world.state.pages[KEY]
    assert seen[record_keys(theirs.trail)[1]] == "told"
    assert seen[record_keys(theirs.trail)[2]] == seen[feedback_key("Names are missing.")] == "elsewhere"
    ours = replace(theirs, trail=(*theirs.trail, *package("doing", [note(3, "doing", "ours")]).trail))
    assert says(world, ours) == ["note: ours"]


def test_what_was_there_before_is_emitted_by_a_replay_alone() -> None:
    """Rules B1, B2."""
    one = package("doing", [CREATED, moved(1, "doing"), note(2, "doing")], agent="ada", body=FEEDBACK)
    world = World(start=[{"WP01": one}])
    assert says(world, replace(one, title="Another")) == []
    assert _besides(world.replay()) == [
        "note: halfway",
        "review: Names are missing.",
        "implementation by ada, 0 before",
    ]
    assert world.replay() == []


def test_a_note_that_was_emitted_manually(world: World) -> None:
    """In the same words by the same one: whoever comes second is silent."""
    says(world, package("planned", [CREATED]))
    pairs_up(world.state.seen(KEY), "h", ("note", "claude", "halfway"))
    assert says(world, package("planned", [CREATED, note(1, "planned")])) == []
    again = package("planned", [CREATED, note(1, "planned"), note(2, "planned")])
    assert says(world, again) == ["note: halfway"]


def test_seeing_silently() -> None:
    """Whether any of it was new."""
    seen: SeenKeys = {}
    shown = package("doing", [moved(1, "doing")], body=FEEDBACK)
    assert see_silently(seen, shown, "baseline")
    assert not see_silently(seen, shown, "elsewhere")
    assert list(seen.values()) == ["baseline", "baseline"]


def test_the_place_of_a_step() -> None:
    """Its record's, by time and lane; behind all of them where it has none."""
    one = package("for_review", [moved(1, "doing"), moved(1, "for_review"), moved(2, "for_review")])
    moment = NOON + timedelta(minutes=1)
    places = [place_of(one, moment, lane, NAMES) for lane in ("doing", "for_review", "done")]
    assert places == [0, 1, 3]


# Who took it on (rule 3).


def test_who_works_and_who_reviews(world: World) -> None:
    """Another one than had it last, in doing or for_review; who comes with the move to for_review did the work."""
    expected = [
        ("planned", "ada", []),
        ("doing", "ada", ["implementation by ada, 0 before"]),
        ("doing", "bob", ["implementation by bob, 1 before"]),
        ("for_review", "bob", []),
        ("for_review", "rita", ["review by rita, 0 before"]),
        ("doing", "bob", ["implementation by bob, 2 before"]),
        ("for_review", "bob", []),
        ("done", "zoe", []),
    ]
    for lane, agent, words in expected:
        assert says(world, package(lane, agent=agent)) == words, (lane, agent)
    assert assigned(world) == ["ada emitted", "bob emitted", "rita emitted", "bob emitted"]


def test_who_comes_with_the_move_to_review_did_the_work(world: World) -> None:
    """At the time of doing, before the step to for_review."""
    trail = [moved(20, "doing"), moved(22, "for_review")]
    assert world.emits(package("for_review", trail, agent="ada"))[-3:] == [
        "WP01 planned→doing",
        "WP01 implementation by ada, 0 before",
        "WP01 doing→for_review",
    ]
    fact = world.facts[-2]
    assert isinstance(fact, AnnotationFact)
    assert fact.annotation.moment == NOON + timedelta(minutes=20)


def test_the_assignee_counts_where_no_agent_is_named(world: World) -> None:
    assert says(world, replace(package("doing"), assignee="Grace")) == ["implementation by Grace, 0 before"]
    both = replace(package("doing", agent="ada"), assignee="Grace")
    assert says(world, both) == ["implementation by ada, 1 before"]


def test_nobody_takes_over_from_somebody(world: World) -> None:
    says(world, package("doing", agent="ada"))
    assert says(world, package("doing")) == []


def test_who_had_it_at_the_baseline() -> None:
    """B1: is no news, and counts as one before, but for a replay."""
    world = World(start=[{"WP01": package("doing", agent="ada")}])
    assert says(world, package("doing", agent="ada", body="more")) == []
    assert says(world, package("doing", agent="bob")) == ["implementation by bob, 1 before"]
    assert _besides(world.replay()) == ["implementation by ada, 0 before"]


# The reviewer's record (rule 4).


def test_the_reviewers_record_stands_before_its_step(world: World) -> None:
    trail = [CREATED, moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    says(world, package("for_review", trail, agent="ada"))
    assert world.emits(package("doing", [*trail, moved(3, "doing", "rita")], agent="ada")) == [
        "WP01 review by rita, 0 before",
        "WP01 for_review→doing",
        "WP01 implementation by ada, 1 before",
    ]


def test_a_reviewer_who_is_known_is_no_news_by_the_record(world: World) -> None:
    trail = [CREATED, moved(1, "doing", "ada"), moved(2, "for_review", "ada")]
    says(world, package("for_review", trail, agent="ada"))
    assert says(world, package("for_review", trail, agent="rita")) == ["review by rita, 0 before"]
    assert says(world, package("done", [*trail, moved(4, "done", "rita")], agent="rita")) == []


@pytest.mark.parametrize(
    "trail",
    [
        [("for_review", "ada"), ("done", "ada")],
        [("doing", "ada"), ("for_review", "bob")],
        [("for_review", "ada"), ("done", "system")],
    ],
)
def test_who_does_not_review(world: World, trail: list[tuple[str, str]]) -> None:
    """Who asked for it, who comes before it, and a tool without a name."""
    records = [moved(minute, lane, agent) for minute, (lane, agent) in enumerate(trail)]
    assert says(world, package(trail[-1][0], records)) == []


# An assignment is an entry (rule 5).


def test_known_by_its_identity_in_a_copy(world: World) -> None:
    start = world.tip
    commit = world.move_to(package("doing", agent="ada"))
    world.checkout("topic", start)
    before = list(world.facts)
    world.go(world.copy(commit, start))
    assert world.facts == before
    (entry,) = world.state.history(KEY).assignments()
    assert entry.commits == {commit, world.tip}


def test_known_by_a_concurrent_one_of_the_same_agent(world: World) -> None:
    world.emits(package("planned"))
    world.checkout("topic")
    assert says(world, package("doing", agent="ada")) == ["implementation by ada, 0 before"]
    world.checkout("main")
    assert says(world, package("doing", agent="ada", body="mine")) == []
    world.checkout("third", world.graph.walk(world.tip)[1])
    assert says(world, package("doing", agent="bob")) == ["implementation by bob, 0 before"]


def test_back_to_the_first_one_is_another(world: World) -> None:
    start = world.tip
    for number, agent in enumerate(("ada", "bob", "ada")):
        assert says(world, package("doing", agent=agent)) == [f"implementation by {agent}, {number} before"]
    before = list(world.facts)
    world.checkout_name = "other"
    world.checkout("other", start)
    world.go(world.refs["main"])
    assert world.facts == before


def test_others_take_it_on(world: World) -> None:
    world.emits(package("planned"))
    world.go(world.theirs({"WP01": package("doing", agent="ada")}, world.tip))
    assert assigned(world) == ["ada remote"]
    assert says(world, package("doing", agent="ada", body="more")) == []
    assert says(world, package("doing", agent="bob")) == ["implementation by bob, 1 before"]


def test_an_edit_says_it_and_its_commit_is_silent() -> None:
    world = World("W", start=[{}])
    world.emits(package("planned", [CREATED]))
    before = len(world.facts)
    edited = package("doing", [CREATED, moved(1, "doing"), note(2, "doing")], agent="ada", body=FEEDBACK)
    world.edit({"WP01": edited})
    words = ["note: halfway", "review: Names are missing.", "implementation by ada, 0 before"]
    assert _besides(world.words[before:]) == words
    world.commit()
    assert _besides(world.words[before:]) == words


def test_an_agent_that_is_taken_back_before_the_commit() -> None:
    """Rule 5: an uncommitted change of the agent that is taken back is none; the next time it is news again."""
    world = World("W", start=[{}])
    world.emits(package("doing", agent="ada"))
    world.edit({"WP01": package("doing", agent="bob")})
    assert world.words[-1] == "WP01 implementation by bob, 1 before"
    before = len(world.facts)
    world.worktree = None
    world.look()
    assert says(world, package("doing", agent="ada", body="more")) == []
    assert len(world.facts) == before
    assert assigned(world) == ["ada emitted", "bob void"]
