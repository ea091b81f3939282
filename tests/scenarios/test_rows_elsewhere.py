"""Rows 47 and 59 of the contract's table: what another machine makes of a history, or of a part of it."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.scenarios.histories import History
from tests.scenarios.table import MakeWorld, row, same_ids
from tests.scenarios.world import Clone
from tests.selection import CAMPAIGN, some


@row("47")
@some("seed", range(400 if CAMPAIGN else 8), quick=2)
def test_47_random_histories(make_world: MakeWorld, seed: int) -> None:
    world = make_world("H")
    history = History(world, seed)
    history.run()
    world.replay_adds_nothing()
    same_ids(world, history=history.done)


class Incomplete:
    """A clone that lacks a part of the history, whose remote is gone, and which notes whoever wants to fetch."""

    def __init__(self, make_world: MakeWorld, *options: str) -> None:
        world = make_world("")
        world.write("doing", wp_id="WP02", body="It was like this.")
        world.commit("two")
        for lane in ("doing", "for_review"):
            world.move(lane, body=f"It is {lane}.")
        world.clone("unused")
        origin = world.directory / "origin.git"
        subprocess.run(["git", "config", "uploadpack.allowFilter", "true"], cwd=origin, check=True)
        self.clone = Clone(world.directory / "part", world.directory / "home-part")
        command = ["git", "clone", "-q", *options, origin.as_uri(), str(self.clone.root)]
        subprocess.run(command, check=True, env=self.clone.environment)
        self.clone.clock = world.clock
        origin.rename(world.directory / "gone.git")
        self._fetched = world.directory / "fetched"
        server = world.directory / "server"
        server.write_text(f"#!/bin/sh\necho fetched >> {shlex.quote(str(self._fetched))}\nexit 1\n")
        server.chmod(0o755)
        self.clone.git("config", "remote.origin.uploadpack", shlex.quote(str(server)))

    def has_fetched(self) -> bool:
        return self._fetched.exists()


CLONES = {"shallow": (("--depth", "1"), "shallow|history"), "partial": (("--filter=blob:none",), "partial|blobs?")}


@row("59")
@pytest.mark.parametrize("kind", CLONES)
def test_59_replay_names_what_is_missing(make_world: MakeWorld, kind: str) -> None:
    options, named = CLONES[kind]
    part = Incomplete(make_world, *options)
    done = part.clone.run("emit", "replay", check=False)
    assert re.search(rf"\b({named})\b", done.stderr), f"nothing says what is missing: {done.stderr}"
    assert "Traceback" not in done.stderr
    assert part.clone.events("ErrorLogged") == []
    assert not part.has_fetched(), "a replay reaches out to the remote"


@row("59")
@pytest.mark.parametrize("kind", CLONES)
def test_59_a_hook_never_fetches(make_world: MakeWorld, kind: str) -> None:
    part = Incomplete(make_world, *CLONES[kind][0])
    part.clone.run("hooks", "install")
    part.clone.move("done", body="It is done.")
    assert part.clone.steps() == ["for_review>done"]
    part.clone.git("checkout", "-q", "-b", "topic")
    part.clone.git("commit", "-q", "--amend", "-m", "amended")
    assert part.clone.steps() == ["for_review>done"]
    assert part.clone.events("ErrorLogged") == []
    assert not part.has_fetched(), "a hook reaches out to the remote"
