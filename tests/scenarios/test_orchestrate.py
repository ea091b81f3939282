"""`orchestrate` with real processes as agents: they succeed, fail, hang, write garbage; and it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.world import FEATURE, PROGRAM, World
from tests.waiting import until

MakeWorld = Callable[[str], World]
ACTING = Path(__file__).parents[1] / "workflow" / "acting.py"
ALL = ["planned>doing", "doing>for_review", "for_review>done"]


class Company:
    """A world with agents that act as a plan says."""

    def __init__(self, world: World, names: Sequence[str] = ("ada", "bob", "cyd")) -> None:
        self.world = world
        self.place = world.directory / "agents"
        self.place.mkdir()
        self.plan({})
        agents = "".join(
            f'    {name}: ["{sys.executable}", -S, "{ACTING}", {name}, "{self.place}", "{{prompt}}"]\n'
            for name in names
        )
        config = world.root / ".kittify" / "config.yaml"
        text = config.read_text("utf-8")
        config.write_text(f"{text}orchestrate:\n  jobs: 3\n  agents:\n{agents}", "utf-8")

    def plan(self, behaviours: Mapping[str, Sequence[str]]) -> None:
        (self.place / "plan.json").write_text(json.dumps(behaviours), "utf-8")

    def packages(self, needs: Mapping[int, Sequence[int]]) -> None:
        for number, others in needs.items():
            wp_id = f"WP{number:02}"
            self.world.write("planned", wp_id=wp_id)
            path = self.world.path(wp_id)
            stated = ", ".join(f"WP{other:02}" for other in others)
            path.write_text(path.read_text("utf-8").replace("lane:", f"dependencies: [{stated}]\nlane:"), "utf-8")
        self.world.commit("plan")
        self.world.run("emit", "scan")

    def journal(self) -> list[str]:
        path = self.place / "journal"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [*PROGRAM, "orchestrate", "--yes", "--json", *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.world.root, env=self.world.environment, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, *options: str, code: int = 0) -> dict[str, Any]:
        process = self.start(*options)
        out, said = process.communicate(timeout=120)
        assert process.returncode == code, said + "\n".join(self.journal())
        found: dict[str, Any] = json.loads(out) if out else {}
        return found

    def lanes(self) -> set[str]:
        files = (self.world.root / "kitty-specs" / FEATURE / "tasks").glob("WP*.md")
        return {line for file in files for line in file.read_text("utf-8").splitlines() if line.startswith("lane:")}

    def in_order(self, *wp_ids: str) -> None:
        """Everything is done, merged and tidy, and no two agents were ever at one work package."""
        world = self.world
        assert self.lanes() == {"lane: done"}
        assert world.git("status", "--porcelain", "kitty-specs") == ""
        assert world.git("worktree", "list").count("\n") == 1
        assert world.git("branch").split() == ["*", "main"]
        assert {path.name for path in (world.root / "code").iterdir()} == set(wp_ids)
        assert [line for line in self.journal() if line.startswith("OVERLAP")] == []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def company(make_world: MakeWorld) -> Company:
    return Company(make_world(""))


def test_failures_and_a_kill_in_the_middle(make_world: MakeWorld) -> None:
    """Twelve work packages, three agents, watcher and hooks: after the rerun all is done, and told once."""
    world = make_world("WH")
    company = Company(world)
    needs = {1: [], 2: [1], 3: [1], 4: [1], 5: [2, 3], 6: [4], 7: [], 8: [7], 9: [5, 6], 10: [8], 11: [9], 12: [9, 10]}
    company.packages(needs)
    company.plan(
        {
            "WP02 implementation": ["fail", "commit"],
            "WP03 implementation": ["garbage"],
            "WP04 implementation": ["commit"],
            "WP04 review": ["fail", "ok"],
            "WP11 review": ["changes", "ok"],
            "WP06 implementation": ["hang", "ok"],  # the one that is killed under
            "WP08 implementation": ["stubborn", "ok"],
            "WP10 implementation": ["fail", "fail", "ok"],
        }
    )
    first = company.start("--time-limit", "60")

    def hanging() -> bool:
        told = company.journal()
        return all(any(line.startswith(f"{wp} implementation") for line in told) for wp in ("WP06", "WP08", "WP05"))

    until(hanging, deadline=90, what=lambda: "\n".join(company.journal()))
    first.kill()
    first.communicate()
    left = [int(line.split()[-1]) for line in company.journal() if " hang " in line or " stubborn " in line]
    children = [int(line.split()[-1]) for line in company.journal() if line.startswith("CHILD")]
    assert all(alive(pid) for pid in left)  # nobody has stopped them yet
    company.run("--time-limit", "60")
    until(lambda: not any(alive(pid) for pid in [*left, *children]))
    company.in_order(*(f"WP{number:02}" for number in needs))
    for number in needs:
        wp_id = f"WP{number:02}"
        back = ["for_review>doing", "doing>for_review"] if wp_id == "WP11" else []
        world.expect(*ALL[:2], *back, *ALL[2:], wp_id=wp_id)
        # Whoever depends on a work package has begun with its code.
        written = (world.root / "code" / wp_id).read_text("utf-8")
        assert {f"WP{other:02}" for other in needs[number]} <= set(written.split()), wp_id
    # The one that wrote garbage has broken work packages, in its worktree; no command has failed.
    assert {event["payload"]["error_type"] for event in world.events("ErrorLogged")} <= {"validation"}
    world.settle()
    world.replay_adds_nothing()


def test_a_failing_agent_is_followed_by_another(company: Company) -> None:
    company.packages({1: [], 2: [1]})
    company.plan({"WP01 implementation": ["fail"] * 9})
    told = company.run(code=1)
    assert {one["wp_id"]: (one["lane"], one["stuck"]) for one in told["work_packages"]} == {
        "WP01": ("doing", "implementation failed 3 times"),
        "WP02": ("planned", None),
    }
    tried = [line.split()[2] for line in company.journal()]
    assert sorted(tried) == ["ada", "bob", "cyd"]
    log = Path(told["work_packages"][0]["log"])
    assert log.read_text("utf-8").count("exit code 3") == 3
    assert log.stat().st_mode & 0o777 == 0o600
    errors = [event["payload"] for event in company.world.events("ErrorLogged")]
    assert [(one["error_type"], one["wp_id"]) for one in errors] == [("runtime", None)]
    company.plan({})
    company.run()
    company.in_order("WP01", "WP02")
    assert company.world.steps() == company.world.steps("WP02") == ALL


def test_the_reviewer_is_another_agent(company: Company) -> None:
    company.packages({number: [] for number in range(1, 4)})
    company.plan({"WP01 review": ["changes"], "WP02 implementation": ["fail"]})
    company.run("--impl-agent", "bob")
    by: dict[str, str] = {}
    for line in company.journal():
        wp_id, phase, name = line.split()[:3]
        assert phase == "implementation" or by[wp_id] != name
        by[wp_id] = name
    log = next((company.world.root / ".git" / "kittywatch" / "orchestrate" / FEATURE).glob("WP01.log"))
    assert "asked the same twice: True" in log.read_text("utf-8")


def test_a_time_limit_ends_the_whole_group(company: Company) -> None:
    company.packages({1: [], 2: []})
    company.plan({"WP01 implementation": ["stubborn"], "WP02 implementation": ["hang"]})
    company.run("--time-limit", "2")
    company.in_order("WP01", "WP02")
    children = [int(line.split()[-1]) for line in company.journal() if line.startswith("CHILD")]
    assert len(children) == 2
    until(lambda: not any(alive(pid) for pid in children))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_everything_in_order(company: Company, number: signal.Signals) -> None:
    company.packages({1: [], 2: [1]})
    company.plan({"WP01 implementation": ["hang"]})
    process = company.start()
    until(lambda: any(line.startswith("CHILD") for line in company.journal()), deadline=30)
    again = company.start()  # at the same time
    assert "is being orchestrated already" in again.communicate(timeout=30)[1]
    assert again.returncode == 1
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 130
    pids = [int(line.split()[-1]) for line in company.journal()]
    until(lambda: not any(alive(pid) for pid in pids))
    assert company.lanes() == {"lane: doing", "lane: planned"}
    assert company.world.git("status", "--porcelain", "kitty-specs") == ""
    company.run()
    company.in_order("WP01", "WP02")
    assert company.world.steps() == ALL


def test_a_conflict_goes_back_to_the_implementer(company: Company) -> None:
    company.packages({1: [], 2: []})
    company.plan({"WP01 implementation": ["conflict"], "WP02 implementation": ["conflict"] * 3})
    told = company.run(code=1)
    lost = next(one for one in told["work_packages"] if one["lane"] != "done")
    assert lost["stuck"] == "it cannot be merged"
    assert not (company.world.root / ".git" / "MERGE_HEAD").exists()
    prompt = company.world.root / ".git" / "kittywatch" / "orchestrate" / FEATURE / f"{lost['wp_id']}.prompt"
    assert company.world.steps(lost["wp_id"])[-1] == "for_review>doing"
    assert prompt.exists()


def test_an_agent_that_breaks_its_worktree_harms_nothing_else(company: Company) -> None:
    """git would take the project itself for the worktree, and what its user has there for the agent's work."""
    company.packages({1: []})
    company.plan({"WP01 implementation": ["vandal", "vandal", "vandal"]})
    (company.world.root / "mine").write_text("not committed", "utf-8")
    company.run(code=1)
    assert "?? mine" in company.world.git("status", "--porcelain")
    assert company.lanes() == {"lane: doing"}


def test_nothing_is_run_without_consent(company: Company) -> None:
    world = company.world
    company.packages({1: []})
    done = world.run("orchestrate", check=False)
    assert done.returncode == 1
    assert "not approved on this machine" in done.stderr
    assert str(ACTING) in done.stderr
    assert company.journal() == []
    dry = world.run("orchestrate", "--dry-run")
    assert dry.stdout.split() == ["1", "WP01", "implementation", "by", "ada", "2", "WP01", "review", "by", "bob"]
    assert company.journal() == []
    company.run()
    assert company.journal() != []
    world.run("orchestrate")  # approved now
    config = world.root / ".kittify" / "config.yaml"
    config.write_text(config.read_text("utf-8").replace(", ada,", ", ada, --more,"), "utf-8")
    assert "not approved" in world.run("orchestrate", check=False).stderr
    assert os.stat(world.home / "approved-agents.json").st_mode & 0o777 == 0o600


def test_a_person_is_asked_and_sees_a_table(company: Company) -> None:
    """On a terminal: the argument lists and a question, then the work packages as they stand."""
    company.packages({1: [], 2: [1]})
    ours, theirs = pty.openpty()
    environment = company.world.environment | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*PROGRAM, "orchestrate"],
        cwd=company.world.root, env=environment, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    answered = False
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while piece := os.read(ours, 4096):
            shown += piece
            if not answered and b"Run these on this machine?" in shown:
                answered = bool(os.write(ours, b"y\n"))
    os.close(ours)
    assert process.wait(30) == 0
    assert str(ACTING).encode() in shown.partition(b"Run these")[0]
    for text in (b"lane", b"implementation by ada", b"for_review", b"review by bob", b"done"):
        assert text in shown
    company.in_order("WP01", "WP02")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("", "no agents are configured"),
        ("orchestrate:\n  agents:\n    a: rm -rf x\n", "the command of a is no list of arguments"),
        ("orchestrate:\n  agents:\n    a: [./run.sh]\n", "is a relative path"),
        ("orchestrate:\n  agents:\n    a: [no-such-program-here]\n", "is not there"),
        ("orchestrate:\n  agents:\n    a: [git]\n", "nobody but a can review what a implements"),
        ("orchestrate:\n  agents:\n    a: [git]\n    b: [{script}]\n", "is a file of the project"),
        ("orchestrate:\n  review: [c]\n  agents:\n    a: [git]\n    b: [git]\n", "names an agent that is not there"),
        ("orchestrate:\n  jobs: many\n  agents:\n    a: [git]\n    b: [git]\n", "no number that makes sense"),
    ],
)
def test_a_configuration_that_cannot_be_used(make_world: MakeWorld, config: str, reason: str) -> None:
    world = make_world("")
    (world.root / "run.sh").write_text("#!/bin/sh\n", "utf-8")
    (world.root / "run.sh").chmod(0o755)
    path = world.root / ".kittify" / "config.yaml"
    script = json.dumps(str(world.root / "run.sh"), ensure_ascii=False)
    path.write_text(path.read_text("utf-8") + config.replace("{script}", script), "utf-8")
    done = world.run("orchestrate", "--yes", check=False)
    assert done.returncode == 1
    assert reason in done.stderr
