"""What lanes mean where nothing states it, as trackers name them."""

from __future__ import annotations

import pytest

from kittywatch.workpackages.categories import CATEGORIES, WORDS, Category, guessed_category, lane_title
from kittywatch.workpackages.schemes import KNOWN, SCHEMES

LANES: dict[Category, str] = {
    "backlog": "to_do todo open new ready draft drafted pending reopened planned backlog not_started not_done"
    " ready_for_dev zzz",
    "active": "in_progress doing wip started in_dev in_development claimed",
    "review": "review testing in_testing qa in_qa verify waiting_for_approval waiting_for_review ready_for_review"
    " code_review in_review approved verifying",
    "done": "done complete completed closed finished released merged archived resolved dev_done",
    "blocked": "blocked on_hold stuck waiting deferred paused waiting_for_customer review_blocked",
    "canceled": "canceled cancelled wont_do won_t_do dropped rejected duplicate obsolete abandoned closed_as_duplicate",
}


@pytest.mark.parametrize(("category", "lane"), [(one, lane) for one, lanes in LANES.items() for lane in lanes.split()])
def test_by_the_usual_words(category: Category, lane: str) -> None:
    assert guessed_category(lane) == category


def test_every_word_means_its_category_and_spec_kittys_lanes_what_they_are() -> None:
    assert WORDS.keys() == set(CATEGORIES)
    for category, phrases in WORDS.items():
        for phrase in phrases:
            assert guessed_category(phrase.replace(" ", "_")) == category
    for scheme in SCHEMES.values():
        for lane, meant in scheme.lanes.items():
            assert guessed_category(lane) == meant == KNOWN[lane]


def test_words_count_whole() -> None:
    assert guessed_category("unresolved") == "backlog"
    assert guessed_category("newest_started_thing") == "active"
    assert guessed_category("In Progress!") == "active"
    assert guessed_category("") == "backlog"


def test_names_for_people() -> None:
    assert [lane_title(one) for one in ("in_progress", "done", "qa", "2nd_review")] == [
        *("In progress", "Done", "Qa", "2nd review"),
    ]
