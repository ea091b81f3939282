"""`orchestrate` with real processes as agents: they succeed, fail, hang, write garbage; and it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.company import ACTING, ALL, Company, alive
from tests.scenarios.world import FEATURE, World
from tests.selection import CAMPAIGN
from tests.waiting import DEADLINE, until
from tests.warm import PROGRAM

MakeWorld = Callable[[str], World]


@pytest.fixture
def company(make_world: MakeWorld) -> Company:
    return Company(make_world(""))


@pytest.mark.long
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

    until(hanging, what=lambda: "\n".join(company.journal()))
    first.kill()
    first.communicate()
    left = [int(line.split()[-1]) for line in company.journal() if " hang " in line or " stubborn " in line]
    children = [int(line.split()[-1]) for line in company.journal() if line.startswith("CHILD")]
    assert all(alive(pid) for pid in left)  # nobody has stopped them yet
    company.run("--time-limit", "300")
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
    completed = [event["payload"] for event in world.events("FeatureCompleted")]
    assert [(one["feature_slug"], one["total_wps"]) for one in completed] == [(FEATURE, 12)]
    resolved = [
        (one["payload"]["dependency_wp_id"], one["payload"]["wp_id"]) for one in world.events("DependencyResolved")
    ]
    assert sorted(resolved) == sorted((f"WP{other:02}", f"WP{one:02}") for one in needs for other in needs[one])
    world.settle()
    world.replay_adds_nothing()


@pytest.mark.long
def test_killed_at_random_moments(make_world: MakeWorld) -> None:
    """SIGKILL whenever, again and again, until a run comes to its end: nothing is lost, and nothing told twice."""
    chance = random.Random(int(CAMPAIGN) or 12)
    end = time.monotonic() + 60 * CAMPAIGN
    number = 0
    while not number or time.monotonic() < end:
        number += 1
        company = Company(make_world("H"))
        company.packages({1: [], 2: [1], 3: []})
        company.plan({"WP03 implementation": ["fail", "garbage"], "WP01 review": ["fail"]})
        kills = 0
        while company.killed(chance.uniform(0.2, 2.0) * (1 + kills / 5)):
            kills += 1
        company.in_order("WP01", "WP02", "WP03")
        for wp_id in ("WP01", "WP02", "WP03"):
            assert company.world.steps(wp_id) == ALL, f"{kills} kills"
        company.world.replay_adds_nothing()


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
    assigned = [event["payload"] for event in company.world.events("WPAssigned")]
    assert [(one["agent_id"], one["phase"], one["retry_count"]) for one in assigned] == [
        (name, "implementation", number) for number, name in enumerate(tried)
    ]
    log = Path(told["work_packages"][0]["log"])
    assert log.read_text("utf-8").count("exit code 3") == 3
    assert log.stat().st_mode & 0o777 == 0o600
    errors = [event["payload"] for event in company.world.events("ErrorLogged")]
    assert [(one["error_type"], one["wp_id"]) for one in errors] == [("runtime", None)]
    company.plan({})
    company.run()
    company.in_order("WP01", "WP02")
    assert company.world.steps() == company.world.steps("WP02") == ALL


@pytest.mark.long
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


@pytest.mark.long
def test_a_time_limit_ends_the_whole_group(company: Company) -> None:
    company.packages({1: [], 2: []})
    company.plan({"WP01 implementation": ["stubborn"], "WP02 implementation": ["hang"]})
    company.run("--time-limit", "15")
    company.in_order("WP01", "WP02")
    children = [int(line.split()[-1]) for line in company.journal() if line.startswith("CHILD")]
    assert len(children) == 2
    until(lambda: not any(alive(pid) for pid in children))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_everything_in_order(company: Company, number: signal.Signals) -> None:
    company.packages({1: [], 2: [1]})
    company.plan({"WP01 implementation": ["hang"]})
    process = company.start()
    until(lambda: any(line.startswith("CHILD") for line in company.journal()))
    again = company.start()  # at the same time
    assert "is being orchestrated already" in again.communicate(timeout=DEADLINE)[1]
    assert again.returncode == 1
    process.send_signal(number)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    pids = [int(line.split()[-1]) for line in company.journal()]
    until(lambda: not any(alive(pid) for pid in pids))
    assert company.lanes() == {"lane: doing", "lane: planned"}
    assert company.world.git("status", "--porcelain", "kitty-specs") == ""
    company.run()
    company.in_order("WP01", "WP02")
    assert company.world.steps() == ALL


@pytest.mark.long
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


@pytest.mark.long
def test_an_agent_that_breaks_its_worktree_harms_nothing_else(company: Company) -> None:
    """git would take the project itself for the worktree, and what its user has there for the agent's work."""
    company.packages({1: []})
    company.plan({"WP01 implementation": ["vandal", "vandal", "vandal"]})
    (company.world.root / "mine").write_text("not committed", "utf-8")
    company.run(code=1)
    assert "?? mine" in company.world.git("status", "--porcelain")
    assert company.lanes() == {"lane: doing"}


@pytest.mark.long
def test_a_worktree_that_began_early_gets_the_code_it_depends_on(company: Company) -> None:
    company.packages({1: [], 2: [1]})
    company.world.run("implement", "WP02", "--worktree", "--force")
    company.world.run("agent", "tasks", "move-task", "WP02", "--to", "planned")
    company.run()
    company.in_order("WP01", "WP02")
    assert "WP01" in (company.world.root / "code" / "WP02").read_text("utf-8")


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


@pytest.mark.long
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
    assert process.wait(DEADLINE) == 0
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
