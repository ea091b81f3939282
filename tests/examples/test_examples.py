"""Each example on a real project, server or checker."""

from __future__ import annotations

import ipaddress
import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from kittywatch.cli.main import cli
from tests.builders import work_package_text
from tests.githooks.hooked import needs
from tests.history.script import Repository
from tests.hub.clusters import cluster, create_database
from tests.hub.hubs import PASSWORD, Hub, populate
from tests.waiting import DEADLINE, until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# Where the others are run or checked.
ELSEWHERE = {
    "first_run.py": "here, without an option",
    "tell_hub.py": "tests/hub/test_cli_hub.py",
    "pre-commit-config.yaml": "tests/scenarios/test_pre_commit.py",
    "sources.yaml": "tests/workpackages/test_configured.py",
}
WP01 = "kitty-specs/001-login/tasks/WP01.md"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`kittywatch` on PATH, as an installation has it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    script = directory / "kittywatch"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m kittywatch.cli.main "$@"\n', "utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return script


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "demo")
    for day, lane in enumerate(("planned", "doing", "for_review"), start=1):
        repository.commit(f"02-0{day}", files={WP01: work_package_text(lane=lane)})
    return repository


def document(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text("utf-8"))


def test_every_example_has_a_test() -> None:
    text = Path(__file__).read_text("utf-8")
    names = {path.name for path in EXAMPLES.iterdir() if path.suffix not in (".png", ".svg")} - ELSEWHERE.keys()
    assert names
    for name in names:
        assert f'"{name}"' in text, f"{name} is neither run nor checked"


def test_first_run() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "first_run.py"], capture_output=True, text=True, check=True, cwd=EXAMPLES
    )
    assert "WP02  doing → for_review" in done.stdout


@pytest.mark.long
def test_the_terminal_picture(tmp_path: Path) -> None:
    script = EXAMPLES / "terminal_picture.py"
    subprocess.run([sys.executable, script, tmp_path / "demo.svg"], check=True, cwd=tmp_path)
    drawn = (tmp_path / "demo.svg").read_text("utf-8").replace("&#160;", " ")
    assert "32 transitions made, 32 events told, 32 at the hub" in drawn


def test_an_agent(tmp_path: Path) -> None:
    """Which tells by itself what nobody else sees."""
    repository = Repository(tmp_path / "project")
    repository.commit("02-01", files={"kitty-specs/001-sign-in/tasks/WP01.md": work_package_text(lane="planned")})
    command = [sys.executable, str(EXAMPLES / "agent.py"), "WP01", "001-sign-in"]
    done = subprocess.run(command, cwd=repository.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds = [line.split()[1] for line in done.stdout.splitlines()]
    assert kinds == ["WPStatusChanged", "WPAssigned", "HistoryAdded", "ErrorLogged"]


def test_the_consumer(program: Path, repository: Repository) -> None:
    """Behind a real `watch --json`."""
    subprocess.run([program, "init"], cwd=repository.root, check=True, capture_output=True)
    consumer = f"{sys.executable} {EXAMPLES / 'waiting_for_review.py'}"
    for lane in ("doing", "for_review", "done"):
        repository.write(WP01, work_package_text(lane=lane))
        subprocess.run([program, "emit", "scan"], cwd=repository.root, check=True, capture_output=True)
    line = f"{program} log --json | {consumer}"
    done = subprocess.run(["sh", "-c", line], cwd=repository.root, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "001-login WP01 waits for a review; 1 in all"
    assert second.startswith("001-login WP01 went on to done after 0:00:0")
    repository.write(WP01, work_package_text(lane="for_review"))
    line = f"{program} watch --once --json | {consumer}"
    done = subprocess.run(["sh", "-c", line], cwd=repository.root, capture_output=True, text=True, check=True)
    assert done.stdout == "001-login WP01 waits for a review; 1 in all\n"
    assert (EXAMPLES / "waiting_for_review.py").read_text("utf-8").count("kittywatch watch --json |") == 1


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    database = f"sqlite:///{tmp_path / 'hub.db'}"
    populate(database, teams={"cats": ["mira"]})
    hub = Hub(database=database, log=tmp_path / "hub.log").start()
    yield hub
    hub.stop()


def test_the_workflow(program: Path, repository: Repository, hub: Hub, tmp_path: Path) -> None:
    """Its shell steps, twice, on a real repository with a real hub: the second time all is there already."""
    workflow = document("github-workflow.yml")
    assert workflow[True] == {"push": {"branches": ["main"]}}, "YAML reads the key on as a truth"
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    used = {step["uses"].split("@")[0]: step["with"] for step in job["steps"] if "uses" in step}
    assert used["actions/checkout"]["fetch-depth"] == 0
    steps = {step["name"]: step for step in job["steps"] if "run" in step}
    assert list(steps) == ["Install", "Replay", "Deliver"]
    assert steps["Install"]["run"] == "pip install kittywatch", "the package index has it; here it is installed"
    said = []
    for number in range(2):
        environment = {
            "SPEC_KITTY_HOME": str(tmp_path / f"runner{number}"),
            "KITTYWATCH_SERVER": hub.url,
            "KITTYWATCH_USER": "mira",
            "KITTYWATCH_PASSWORD": PASSWORD,
        }
        assert set(steps["Deliver"]["env"]) | set(job["env"]) == environment.keys()
        for name in ("Replay", "Deliver"):
            assert "${{" not in steps[name]["run"], "an expression in a script is somebody's text in a script"
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[name]["run"]],
                cwd=repository.root,
                env=os.environ | environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert PASSWORD not in done.stdout + done.stderr
            said.append(done.stderr)
        lines = (repository.root / "events.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(line)["event_type"] for line in lines][:2] == ["FeatureCreated", "WPCreated"]
        if number == 0:
            repository.git("add", ".kittify")
            repository.commit("02-09")
    assert "4 delivered" in said[1]
    assert "4 there already" in said[3]


def test_the_systemd_unit(tmp_path: Path) -> None:
    """What systemd itself says of it, with the program where it is expected."""
    analyze = needs("systemd-analyze")
    for directory in ("home/.local/bin", "run"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "home" / ".local" / "bin" / "kittywatch").symlink_to("/bin/true")
    unit = tmp_path / "kittywatch@.service"
    shutil.copy(EXAMPLES / "kittywatch@.service", unit)
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    command = [analyze, "--user", "verify", str(unit)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (started,) = re.findall(r"^ExecStart=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    _exists(started.split()[1:])
    assert "%" not in started.replace("%h/", "").replace(" %f ", " ")


def test_the_launchd_agent() -> None:
    name = "org.kittywatch.watch.plist"
    agent = plistlib.loads((EXAMPLES / name).read_bytes())
    assert agent["Label"] == name.removesuffix(".plist")
    assert all(isinstance(word, str) for word in agent["ProgramArguments"])
    assert os.path.isabs(agent["ProgramArguments"][0])
    _exists(agent["ProgramArguments"][1:])
    assert (agent["RunAtLoad"], agent["KeepAlive"]) == (True, {"SuccessfulExit": False})
    assert agent["Umask"] == 0o77


def _exists(words: list[str]) -> None:
    """A command line's words: command and options are there."""
    command: click.Command = cli
    for word in words:
        options = {option for param in command.params for option in param.opts}
        if isinstance(command, click.Group) and not word.startswith(("-", "%")):
            found = command.get_command(click.Context(cli, **cli.context_settings), word)
            command = found or pytest.fail(f"there is no {word}")
        elif word.startswith("-"):
            assert word in options


def test_the_compose_file(program: Path, tmp_path: Path) -> None:
    """The hub's own command, on a real PostgreSQL; what only docker knows is checked by hand."""
    services = document("compose.yaml")["services"]
    assert services["hub"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["hub"]["ports"] == ["127.0.0.1:8765:8765"], "a proxy has the TLS"
    values = {"HUB_PASSWORD": "p", "HUB_HOST": "hub.example.org"}
    (network,) = document("compose.yaml")["networks"]["default"]["ipam"]["config"]
    proxy = _composed(services["hub"]["command"][-1], values)
    assert proxy == network["gateway"], "where a proxy on this machine comes from"
    assert ipaddress.ip_address(proxy) in ipaddress.ip_network(network["subnet"])
    user = services["database"]["environment"]["POSTGRES_USER"]
    assert services["hub"]["environment"]["KITTYWATCH_HUB_DATABASE"] == f"postgresql://{user}@database/hub"
    assert _composed(services["hub"]["environment"]["PGPASSWORD"], values) == "p"
    shell, options, script, *words = (_composed(word, values) for word in services["hub"]["command"])
    installing, rest = script.split("\n", 1)
    assert installing == "pip install --quiet 'kittywatch[hub]'"
    log = tmp_path / "log"
    with cluster() as address, log.open("wb") as target:
        environment = {**os.environ, "KITTYWATCH_HUB_DATABASE": create_database(address, "hub")}
        command = [shell, options, rest.replace("--port 8765", "--port 0"), *words]
        process = subprocess.Popen(command, env=environment, stdout=target, stderr=target)
        try:
            until(lambda: b"Board: " in log.read_bytes() or process.poll(), what="the hub")
            assert process.poll() is None, log.read_text("utf-8")
        finally:
            process.terminate()
            process.wait(DEADLINE)
    assert "user" in log.read_text("utf-8")


def _composed(text: str, values: dict[str, str]) -> str:
    """A value as compose puts it together."""

    def put(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match[1]) or match[2].removeprefix(":-")

    return re.sub(r"\$\$|\$\{(\w+)(:[-?][^}]*)?\}", put, text)


def test_the_project_to_try(program: Path, tmp_path: Path) -> None:
    """Its README's commands, as they stand there."""
    text = (EXAMPLES / "shop" / "README.md").read_text("utf-8")
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert commands[0].startswith("cp -r examples/shop /tmp/shop && cd /tmp/shop")
    script = "\n".join(commands).replace("/tmp/shop", str(tmp_path / "shop"))
    done = subprocess.run(["bash", "-ec", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    package = tmp_path / "shop" / "kitty-specs" / "001-checkout" / "tasks" / "WP02-payment.md"
    package.write_text(package.read_text("utf-8").replace("lane: planned", "lane: doing", 1), "utf-8")
    for command in ("git commit -qam doing", "kittywatch hooks check", "kittywatch doctor"):
        subprocess.run(["sh", "-c", command], cwd=tmp_path / "shop", capture_output=True, check=False)
    out = subprocess.run(["kittywatch", "log"], cwd=tmp_path / "shop", capture_output=True, text=True, check=True)
    assert [" ".join(line.split()[2:]) for line in out.stdout.splitlines()] == [
        "001-checkout - feature created, 3 work packages",
        "001-checkout WP01 created: The cart",
        "001-checkout WP01 planned → doing by mira",
        "001-checkout WP01 implementation by mira",
        "001-checkout WP01 doing → for_review by mira",
        "001-checkout WP02 created: Payment",
        "001-checkout WP03 created: The receipt",
        "001-checkout WP02 planned → doing by user",
    ]


def test_no_image_is_broken() -> None:
    for path in EXAMPLES.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
