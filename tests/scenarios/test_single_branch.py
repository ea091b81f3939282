"""One branch and one checkout, beyond the rows of the contract's table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.world import World

P_D, D_R, R_D, P_R = "planned>doing", "doing>for_review", "for_review>done", "planned>for_review"
D_P = "doing>planned"
EARLY, LATE = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"


def test_26_away_and_back_over_a_told_edit(make_world: Callable[[str], World]) -> None:
    """O7: commits that nobody saw and that end where an edit was told are told, if somebody has written the file."""
    world = make_world("")
    world.write("doing")
    world.run("emit", "scan")
    world.expect(P_D)
    world.move("for_review", body="Away.")
    world.move("doing", body="And back.")
    world.run("emit", "scan")
    world.expect(P_D, D_R, "for_review>doing")
    world.replay_adds_nothing()


def test_08_staged_before_the_edit_was_seen(make_world: Callable[[str], World]) -> None:
    """O1: an index that nobody saw is contained in what the edit after it told."""
    world = make_world("")
    world.write("doing")
    world.git("add", "-A")
    world.write("for_review")
    world.run("emit", "scan")
    world.expect(P_R)
    world.git("commit", "-q", "-m", "the index")
    world.commit("the rest")
    world.run("emit", "scan")
    world.expect(P_R)
    world.replay_adds_nothing()


@pytest.mark.parametrize("amended", ["doing", "done"])
def test_04_a_rewrite_beside_an_edit_that_hooks_have_not_seen(make_world: Callable[[str], World], amended: str) -> None:
    """What is not committed is not told by hooks, whatever they look at a worktree for."""
    world = make_world("H")
    world.move("planned", wp_id="WP02")
    world.move(amended)
    said = world.all_steps()
    world.write("for_review", body="Not yet.")
    world.write("for_review", wp_id="WP02", body="Not yet.")
    world.git("commit", "-q", "--amend", "-m", "said otherwise", "--only")
    assert world.all_steps() == said
    world.commit("now")
    assert world.steps("WP02") == ["planned>for_review"]
    assert world.steps() == [*said["WP01"], f"{amended}>for_review"]
    world.replay_adds_nothing()


@pytest.mark.parametrize("undone", ["stash", "edit"])
@pytest.mark.parametrize("again", ["commit", "edit"])
def test_20_a_reset_commit_is_undone_and_made_again(
    make_world: Callable[[str], World], undone: str, again: str
) -> None:
    """O5: what a soft reset left as an edit is taken back with the edit, though a commit had it once."""
    world = make_world("")
    world.move("doing")
    world.run("emit", "scan")
    world.git("reset", "-q", "--soft", "HEAD~1")
    world.run("emit", "scan")
    if undone == "stash":
        world.git("stash")
    else:
        world.write("planned", body="Once more.")
    world.run("emit", "scan")
    world.expect(P_D, D_P)
    world.write("doing", body="Again.")
    if again == "commit":
        world.commit("again")
    world.run("emit", "scan")
    world.expect(P_D, D_P, P_D)
    world.commit("and again", "--allow-empty", "-a")
    world.run("emit", "scan")
    world.expect(P_D, D_P, P_D)


def test_20_a_reset_commit_that_comes_back(make_world: Callable[[str], World]) -> None:
    """O4: an edit that is gone because its own commit is there again is not taken back."""
    world = make_world("")
    world.move("doing")
    world.run("emit", "scan")
    world.git("branch", "kept")
    world.git("reset", "-q", "--soft", "HEAD~1")
    world.run("emit", "scan")
    world.git("reset", "-q", "--soft", "kept")
    world.run("emit", "scan")
    world.move("planned", body="Back.")
    world.run("emit", "scan")
    world.git("switch", "-q", "-c", "other", "kept~1")
    world.run("emit", "scan")
    world.git("cherry-pick", "kept")
    world.run("emit", "scan")
    world.expect(P_D, D_P)
    world.replay_adds_nothing()


def test_07_a_record_that_was_added_later(make_world: Callable[[str], World]) -> None:
    """O1: of two moves to one lane in one commit, the last is not the first, whose record came after it was seen."""
    world = make_world("")
    trail = [(EARLY, "doing"), ("2026-01-01T10:30:00Z", "planned"), (LATE, "doing")]
    for lane, records in (("doing", 0), ("planned", 2), ("doing", 3)):
        world.write(lane, trail=trail[:records])
        world.run("emit", "scan")
    world.expect(P_D, D_P, P_D)
    world.commit("all of it")
    world.run("emit", "scan")
    world.expect(P_D, D_P, P_D)
    world.replay_adds_nothing()
