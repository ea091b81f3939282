"""Backlog.md as it is made by its own program: its commands, its MCP server, its web page, its own commits."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.neighbors.program import Program
from tests.npm import Npm
from tests.scenarios.table import check, converges
from tests.scenarios.world import World
from tests.waiting import DEADLINE, until

pytestmark = pytest.mark.long  # a program of others

IN_BOTH = pytest.mark.parametrize("world", ["WH"], indirect=True)
WORK = ["to_do>in_progress", "in_progress>done"]


@pytest.fixture
def backlog(world: World, backlog_md: Npm) -> Program:
    """A project with two tasks and a subtask, one of them of a milestone, committed and told."""
    program = Program(world, backlog_md, backlog_md.command("backlog.md", "cli.js"))
    program("init", "demo", "--defaults")
    program("config", "set", "remoteOperations", "false")
    program("task", "create", "First", "-m", "v1")
    program("task", "create", "Second", "--dep", "task-1")
    program("task", "create", "Part of the first", "-p", "task-1")
    world.commit("backlog")
    world.settle()
    return program


def test_tasks_through_their_statuses(world: World, backlog: Program) -> None:
    """Renamed with another title, completed, archived: one event a transition, and nothing for a file that moves."""
    made = {one["payload"]["wp_id"]: one["payload"] for one in world.events("WPCreated")}
    assert made["TASK-1"]["feature_slug"] == "v1"
    assert made["TASK-2"]["feature_slug"] == "demo"
    assert made["TASK-2"]["dependencies"] == ["TASK-1"]
    for arguments in (
        ("edit", "1", "-s", "In Progress", "-a", "@claude"),
        ("edit", "1", "--title", "First of all"),
        ("edit", "1.1", "-s", "In Progress"),
        ("edit", "1", "-s", "Done"),
        ("complete", "1"),
        ("archive", "1.1"),
    ):
        backlog("task", *arguments)
        world.commit(" ".join(arguments))
    check(world, {"TASK-1": WORK, "TASK-1.1": WORK[:1]})
    payloads = [one["payload"] for one in world.events()]
    assert {one["changed_by"] for one in payloads if one["wp_id"] == "TASK-1"} == {"@claude"}
    (free,) = [one["payload"] for one in world.events("DependencyResolved")]
    assert (free["wp_id"], free["dependency_wp_id"], free["feature_slug"]) == ("TASK-2", "TASK-1", "demo")
    world.replay_adds()
    converges(world, {"TASK-1": WORK, "TASK-1.1": WORK[:1]})


@IN_BOTH
def test_its_own_commits(world: World, backlog: Program) -> None:
    backlog("config", "set", "autoCommit", "true")
    world.commit("settings")
    before = len(world.git("rev-list", "HEAD").split())
    backlog("task", "edit", "2", "-s", "In Progress")
    backlog("task", "edit", "2", "-s", "Done")
    backlog("task", "complete", "2")
    assert len(world.git("rev-list", "HEAD").split()) - before == 3
    check(world, {"TASK-2": WORK})
    world.replay_adds()


@IN_BOTH
def test_its_mcp_server(world: World, backlog: Program) -> None:
    """What an agent does by tools is written by the program that serves them, and no command of it is called."""
    with _served(backlog, "mcp", "start") as server:
        hello: dict[str, object] = {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        _ask(server, 1, "initialize", hello)
        for number, status in enumerate(("In Progress", "Done"), start=2):
            _ask(server, number, "tools/call", {"name": "task_edit", "arguments": {"id": "TASK-2", "status": status}})
            world.commit(status)
    check(world, {"TASK-2": WORK})


@IN_BOTH
def test_its_web_page(world: World, backlog: Program) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _served(backlog, "browser", "--no-open", "--port", str(port)), httpx.Client(trust_env=False) as client:
        task = f"http://127.0.0.1:{port}/api/tasks/TASK-2"
        until(lambda: _answers(client, task), what="Backlog.md's page")
        for status in ("In Progress", "Done"):
            assert client.put(task, json={"status": status}).status_code == 200
            world.commit(status)
    check(world, {"TASK-2": WORK})


def _answers(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(address).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _served(program: Program, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    server = program.start(*arguments)
    try:
        yield server
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the program proper is a child of what npm installs
        server.communicate(timeout=DEADLINE)


def _ask(server: subprocess.Popen[str], number: int, method: str, parameters: dict[str, object]) -> None:
    """Send a request and wait for its answer."""
    assert server.stdin is not None
    assert server.stdout is not None
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
    server.stdin.write(json.dumps(request) + "\n")
    if method == "initialize":
        server.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    server.stdin.flush()
    while json.loads(server.stdout.readline()).get("id") != number:
        pass
