"""The agents that an orchestration may run: `orchestrate:` in `.kittify/config.yaml`, and the consent to it.

    orchestrate:
      jobs: 2                        # at once
      time_limit_seconds: 3600       # for each run of an agent
      attempts: 3                    # failures in a row, of whichever agent, after which a work package is given up
      implementation: [claude, codex]    # in the order of preference; all agents where it is not said
      review: [codex, claude]
      agents:
        claude: [claude, -p, "{prompt}"]
        codex: [codex, exec, "{prompt}"]

A command line is a list of arguments, never a text for a shell. `{prompt}`, `{wp}`, `{feature}`, `{phase}`, `{file}`
and `{worktree}` in an argument are replaced.

The file comes with the repository, so anybody who can push to it could have it run something here. Therefore the exact
argument lists have to be approved once on each machine, for each clone. What was approved is kept in the home as a
hash; any change of any list asks again. A program is a name on PATH or an absolute path, and no file of the project.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from kittywatch.errors import WorkflowError
from kittywatch.store.files import replace_file
from kittywatch.store.lock import locked
from kittywatch.workflow.schedule import Team
from kittywatch.yaml.values import Value

_CONFIG = ".kittify/config.yaml"
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+@-]{0,63}\Z")
_PLACEHOLDER = re.compile(r"\{(prompt|wp|feature|phase|file|worktree)\}")
_EXAMPLE = f"say in {_CONFIG} how to run them; `kittywatch orchestrate --help` has an example"
DEFAULT_TIME_LIMIT = 3600.0


class Settings(Struct, frozen=True):
    """The configuration of an orchestration; `commands` are argument lists by agent."""

    team: Team
    commands: Mapping[str, tuple[str, ...]]
    time_limit: float = DEFAULT_TIME_LIMIT


def read_settings(config: Mapping[str, Value], root: Path) -> Settings:
    """The settings of a configuration; raises WorkflowError for what cannot be used."""
    section = config.get("orchestrate")
    if not isinstance(section, dict) or not isinstance(section.get("agents"), dict):
        raise WorkflowError("no agents are configured", remedy=_EXAMPLE)
    stated = section["agents"]
    assert isinstance(stated, dict)
    commands = {name: _command(name, value, root) for name, value in stated.items()}
    team = Team(
        _names(section, "implementation", commands),
        _names(section, "review", commands),
        int(_number(section, "jobs", 2)),
        int(_number(section, "attempts", 3)),
    )
    return Settings(team, commands, _number(section, "time_limit_seconds", DEFAULT_TIME_LIMIT))


def check_team(team: Team) -> None:
    """Raise WorkflowError where a work package would be reviewed by who implemented it."""
    alone = [name for name in team.implementation if not set(team.review) - {name}]
    if alone or not team.implementation:
        raise WorkflowError(
            f"nobody but {', '.join(alone)} can review what {', '.join(alone)} implements"
            if alone
            else "nobody is there to implement",
            remedy=f"name a second agent under orchestrate: in {_CONFIG}",
        )


def filled(command: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    """The argument list with its placeholders replaced, each once: what a value says is no placeholder."""
    return [_PLACEHOLDER.sub(lambda found: values[found[1]], argument) for argument in command]


def fingerprint(settings: Settings, common: Path) -> str:
    """A digest of what is approved: the argument lists of all agents, in one clone."""
    content = [os.fsdecode(common), sorted((name, list(command)) for name, command in settings.commands.items())]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


class Approvals:
    """The approvals of this machine's user, in one file of the home."""

    def __init__(self, home: Path) -> None:
        self._path = home / "approved-agents.json"

    def has(self, mark: str) -> bool:
        """Tell whether a fingerprint was approved."""
        return mark in self._read()

    def add(self, mark: str) -> None:
        """Remember an approval; raises WorkflowError where it cannot be kept."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._path.with_name("approved-agents.lock")):
                known = self._read() | {mark: datetime.now(UTC).isoformat(timespec="seconds")}
                replace_file(self._path, json.dumps(known, indent=1).encode())
        except OSError as error:
            raise WorkflowError(f"{self._path}: {error.strerror}", remedy="make the directory writable") from error

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def _command(name: str, value: Value, root: Path) -> tuple[str, ...]:
    if not _NAME.match(name):
        raise WorkflowError(f"{name!a} is no name for an agent", remedy="use letters, digits, dots and hyphens")
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise WorkflowError(f"the command of {name} is no list of arguments", remedy=f"write it as a list in {_CONFIG}")
    command = tuple(str(one) for one in value)
    program = command[0]
    if os.sep in program and not os.path.isabs(program):
        raise WorkflowError(f"the program of {name} is a relative path", remedy="name one on PATH, or an absolute path")
    found = shutil.which(program)
    if found is None:
        raise WorkflowError(f"the program of {name} is not there: {program}", remedy="install it, or put it on PATH")
    if Path(found).resolve().is_relative_to(root.resolve()):
        raise WorkflowError(f"the program of {name} is a file of the project", remedy="name one outside of it")
    return command


def _names(section: Mapping[str, Value], key: str, commands: Mapping[str, object]) -> tuple[str, ...]:
    stated = section.get(key)
    if stated is None:
        return tuple(commands)
    names = [stated] if isinstance(stated, str) else stated
    if not isinstance(names, list) or not names or not all(isinstance(one, str) and one in commands for one in names):
        raise WorkflowError(f"orchestrate: {key}: names an agent that is not there", remedy=_EXAMPLE)
    return tuple(dict.fromkeys(str(one) for one in names))


def _number(section: Mapping[str, Value], key: str, default: float) -> float:
    stated = section.get(key)
    try:
        number = default if stated is None else float(str(stated))
    except ValueError:
        number = 0
    if not 0 < number < 1e9 or (isinstance(default, int) and number != int(number)):
        raise WorkflowError(f"orchestrate: {key}: is no number that makes sense", remedy=f"mend it in {_CONFIG}")
    return number
