"""A second machine, which has seen nothing, replays what the first ones did; and a hub that hears them all (O11)."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kittywatch.observe.replay import Replay
from kittywatch.project import Project
from tests.stateful.bench import Bench, Repository
from tests.stateful.model import BrokenRuleError, Key


class Hub:
    """What a server knows that hears of events and aliases in some order, each as it comes."""

    def __init__(self) -> None:
        self.transitions: dict[str, tuple[Key, str]] = {}
        """Those that are shown, by event id."""
        self.aliases: dict[str, str] = {}

    def hears_event(self, event: Mapping[str, Any]) -> None:
        payload = event["payload"]
        event_id = self.resolve(event["event_id"])
        key = payload["feature_slug"], payload["wp_id"]
        self.transitions.setdefault(event_id, (key, payload["new_status"]))

    def hears_alias(self, alias: str, event_id: str) -> None:
        one, other = self.resolve(alias), self.resolve(event_id)
        if one == other:
            return
        self.aliases[one] = other
        shown = self.transitions.pop(one, None)
        if shown is not None:
            self.transitions.setdefault(other, shown)

    def resolve(self, event_id: str) -> str:
        """The id under which a transition is shown."""
        while event_id in self.aliases:
            event_id = self.aliases[event_id]
        return event_id


class SecondMachine:
    """A fresh clone of a clone, with a home of its own, in which all of some branches is replayed."""

    def __init__(self, repository: Repository) -> None:
        self.bench = repository.bench
        self.home = self.bench.directory / "home-elsewhere"
        self.root = self.bench.directory / "elsewhere"
        for leftover in (self.home, self.root):
            shutil.rmtree(leftover, ignore_errors=True)
        source = str(repository.main.root)
        subprocess.run(
            ["git", "clone", "-q", "--template=", source, str(self.root)],
            check=True,
            env=repository.environment,
            capture_output=True,
        )

    def replay(self, tips: Iterable[str]) -> None:
        """Replay some commits, one after the other."""
        before = os.environ["SPEC_KITTY_HOME"]
        os.environ["SPEC_KITTY_HOME"] = str(self.home)
        try:
            project = Project.find(self.root, lambda text: None)
            try:
                for tip in tips:
                    for _ in Replay(project.git, project.names, project.emitter).run(tip):
                        pass
            finally:
                project.store.close()
        finally:
            os.environ["SPEC_KITTY_HOME"] = before

    def transitions(self) -> list[dict[str, Any]]:
        return transitions(self.bench, self.home)


def transitions(bench: Bench, home: Path) -> list[dict[str, Any]]:
    """What a home has emitted of lanes."""
    return [one for one in bench.events(home, 0) if one["event_type"] == "WPStatusChanged"]


def aliases(home: Path) -> list[tuple[str, str]]:
    """The aliases that a home has, each with its event."""
    with contextlib.closing(sqlite3.connect(home / "queue.db", timeout=30)) as connection:
        return list(connection.execute("SELECT alias, event_id FROM aliases"))


def converge(bench: Bench, second: SecondMachine, order: int, without: Iterable[Key]) -> None:
    """Let a hub hear all homes and the second machine in some order; BrokenRuleError where the second one tells a
    transition that a hub shows beside what was emitted where it was made. Work packages `without` are left out.
    """
    homes = sorted({repository.home for repository in bench.repositories})
    left_out = set(without)
    own = [one for home in homes for one in transitions(bench, home)]
    theirs = second.transitions()
    said: list[tuple[str, Any]] = [("event", one) for one in [*own, *theirs]]
    said += [("alias", one) for home in [*homes, second.home] for one in aliases(home)]
    random.Random(order).shuffle(said)
    hub = Hub()
    for kind, one in said:
        if kind == "event":
            hub.hears_event(one)
        else:
            hub.hears_alias(*one)
    known = {hub.resolve(one["event_id"]) for one in own}
    for one in theirs:
        payload = one["payload"]
        if hub.resolve(one["event_id"]) not in known and (payload["feature_slug"], payload["wp_id"]) not in left_out:
            live = [
                f"{other['timestamp']} {other['payload']['previous_status']}>{other['payload']['new_status']}"
                for other in own
                if other["aggregate_id"] == one["aggregate_id"]
                and other["payload"]["feature_slug"] == payload["feature_slug"]
            ]
            raise BrokenRuleError(f"O11: a second machine tells {one['timestamp']} {payload} beside {live}")
