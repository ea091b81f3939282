"""What happens in rows 43 to 46 of the contract's table, which are told of on one machine, several, and a hub."""

from __future__ import annotations

from tests.scenarios.world import World


def merged(world: World) -> None:
    """A branch without trail: commits doing and for_review, merged into main."""
    _merge(world, seen=False)


def edited_and_merged(world: World) -> None:
    """The same, where a watcher has seen each edit before its commit."""
    _merge(world, seen=True)


def _merge(world: World, *, seen: bool) -> None:
    world.git("checkout", "-q", "-b", "topic")
    for lane in ("doing", "for_review"):
        world.write(lane)
        if seen:
            world.settle()
        world.commit(lane)
    world.settle()
    world.git("checkout", "-q", "main")
    world.settle()
    world.git("merge", "-q", "--no-ff", "topic", "-m", "merged")


def amended(world: World) -> None:
    """A commit to doing, amended with the lane for_review."""
    world.move("doing")
    world.settle()
    world.write("for_review")
    world.git("commit", "-q", "-a", "--amend", "--no-edit")


def squashed_on_the_server(world: World) -> None:
    """A branch of three steps, merged as a forge merges a pull request, and pulled."""
    server = world.clone("server")  # nobody observes it
    world.git("checkout", "-q", "-b", "topic")
    for lane in ("doing", "for_review", "done"):
        world.move(lane)
        world.settle()
    world.git("push", "-q", "origin", "topic")
    server.git("fetch", "-q")
    server.git("merge", "-q", "--squash", "origin/topic")
    server.git("commit", "-q", "-m", "squashed")
    server.git("push", "-q", "origin", "main")
    world.git("checkout", "-q", "main")
    world.git("pull", "-q", "--ff-only")
