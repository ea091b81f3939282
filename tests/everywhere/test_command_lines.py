"""Every command line that README and help show is run in a scratch project; every one that a text names exists."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import click
import pytest

from kittywatch.cli.main import cli
from kittywatch.store import delivery, outbox
from kittywatch.store.store import Store
from tests.builders import work_package_text
from tests.everywhere.lines import PROGRAMS, ROOT, all_lines, helps
from tests.everywhere.runner import Case
from tests.githooks.hooked import needs
from tests.history.script import Repository
from tests.hub.hubs import populate

# Lines that are not run, each with the reason. A pattern matches from the line's beginning.
NOT_RUN = {
    r"kittywatch watch( --json \| jq \.payload| --notify)?$": "goes on until Ctrl-C; tests/scenarios run it",
    r"kittywatch log --follow": "goes on until Ctrl-C; tests/cli/test_follow.py runs it",
    r"kittywatch hub serve|.*&& kittywatch hub serve": "goes on until Ctrl-C; tests/hub run it",
    r"kittywatch hub migrate --database postgresql": "needs that PostgreSQL; tests/hub have one",
    r"kittywatch auth login|pass show hub": "needs a server; tests/sync and tests/cli have one",
    r"kittywatch auth status": "says 4 without a login; tests/cli have one",
    r"kittywatch sync now$": "says 4 without a login; tests/sync have one",
    r".*&& pipx uninstall": "would take away what runs the tests",
    r"kittywatch queue purge( --all)?$": "asks at a terminal; tests/cli answer",
    r"kittywatch demo": "takes its time; tests/demo run it",
    r"kittywatch (merge|accept|agent tasks (move-task|mark-status))\b": "its lanes are others; tests/workflow run it",
    r"kittywatch implement WP02 --worktree --base": "needs the other's branch; tests/workflow have one",
    r"kittywatch orchestrate": "needs agents; tests/workflow have some",
}
# What is there already in the scratch home, and so goes by another name where a line makes it.
TAKEN = {"user add mira": "user add nora", "user add wall": "user add hall", "team add cats": "team add dogs"}
SHOWN_ID = "01KGVAJ8"
LINES = all_lines()
_SHELL = set("|&;<>()$`~'\"*")


def reason_not_to(line: str) -> str | None:
    return next((reason for pattern, reason in NOT_RUN.items() if re.match(pattern, line)), None)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a told history and hooks, and its home beside it."""
    base = tmp_path_factory.mktemp("template")
    repository = Repository(base / "project")
    for path in (repository.root / ".git" / "hooks").iterdir():
        path.unlink()
    environment = {**os.environ, "SPEC_KITTY_HOME": str(base / "home")}
    (base / "home").mkdir(mode=0o700)
    populate(f"sqlite:///{base / 'home' / 'hub.db'}", teams={"cats": ["mira", "wall"]})
    for number, lane in enumerate(("planned", "doing", "for_review"), start=1):
        package = work_package_text(lane=lane, wp_id=f"WP0{number}")
        repository.commit(f"03-0{number}", files={f"kitty-specs/001-login/tasks/WP0{number}.md": package})
    for arguments in (["init"], ["emit", "replay"]):
        command = [sys.executable, "-P", "-m", "kittywatch.cli.main", *arguments]
        subprocess.run(command, cwd=repository.root, env=environment, check=True, capture_output=True)
    repository.commit("03-04")
    repository.write("password", "correct horse battery\n")
    return base


@pytest.fixture(scope="module")
def event_id(template: Path) -> str:
    """One that is a dead letter, so that it can be put back."""
    store = Store(template / "home", node_id="0" * 12, warn=pytest.fail)
    with contextlib.closing(store):
        found = store.read(lambda connection: next(outbox.queued(connection)).event_id)
        for _ in range(delivery.MAX_REFUSALS):
            store.transact(lambda connection: delivery.refused(connection, {found: "no"}))
    return found


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search path that finds both programs, as an installation has them, and nothing of the tests' environment."""
    directory = tmp_path_factory.mktemp("bin")
    (directory / "kittywatch").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m kittywatch.cli.main "$@"\n', "utf-8")
    (directory / "kittywatch").chmod(0o755)
    (directory / "spec-kitty").symlink_to("kittywatch")
    for name in ("git", "jq", "bash"):
        found = shutil.which(name)
        assert found is not None or name != "git"
        if found and not (directory / name).exists():
            (directory / name).symlink_to(found)
    return f"{directory}:/usr/bin:/bin"


def prepared(line: str, event_id: str) -> str:
    for taken, free in TAKEN.items():
        line = line.replace(taken, free)
    return line.replace(SHOWN_ID, event_id[:20])


def test_lines_are_found() -> None:
    """Or the test below would pass with nothing."""
    assert len(LINES) > 50
    assert "kittywatch init" in LINES
    assert "kittywatch log --json | jq .payload" in LINES
    for pattern in NOT_RUN:
        if "demo" not in pattern:
            assert any(re.match(pattern, line) for line in LINES), f"{pattern} is shown nowhere any more"


def test_simple_lines(template: Path, event_id: str, programs: str, tmp_path: Path) -> None:
    """Those that need no shell, each in a copy of its own."""
    cases = []
    for number, line in enumerate(LINES):
        whole = prepared(line, event_id)
        if reason_not_to(line) or set(whole) & _SHELL:
            continue
        place = tmp_path / str(number)
        home: dict[str, str | None] = {"SPEC_KITTY_HOME": str(place / "home"), "HOME": str(place)}
        arguments = shlex.split(whole)[1:]
        said = tmp_path / "said" / str(number)
        cases.append(
            Case(line, arguments, str(template), str(place), str(said), home | {"PATH": programs}, directory="project")
        )
    assert len(cases) > 30
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.everywhere.runner"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps([asdict(case) for case in cases]),
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = [one for one in json.loads(done.stdout) if not _fine(one["name"], one["code"], one["err"])]
    assert not wrong, "\n".join(f"{one['name']}: {one['code']} {one['out']}{one['err']}" for one in wrong)


@pytest.mark.parametrize(
    "line", [line for line in LINES if not reason_not_to(line) and set(prepared(line, "")) & _SHELL]
)
def test_lines_for_a_shell(template: Path, event_id: str, programs: str, tmp_path: Path, line: str) -> None:
    """With their pipes and files; none of a pipe's commands may fail."""
    if "jq" in line:
        needs("jq")
    place = tmp_path / "place"
    shutil.copytree(template, place, symlinks=True)
    for directory in (".zfunc", ".config/fish/completions", ".local/share/bash-completion/completions"):
        (place / directory).mkdir(parents=True)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", prepared(line, event_id)],
        cwd=place / "project",
        env={**os.environ, "HOME": str(place), "SPEC_KITTY_HOME": str(place / "home"), "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert _fine(line, done.returncode, done.stderr), f"{done.returncode} {done.stdout}{done.stderr}"


def _fine(line: str, code: int, err: str) -> bool:
    """0; `doctor` and `hooks status` say 1 where there is something to say."""
    if "Traceback" in err:
        return False
    return code == 0 or (code == 1 and bool(re.search(r"\bdoctor\b|hooks status", line)))


def _resolve(words: list[str]) -> str | None:
    """What is wrong with a command as a text names it, None where nothing is."""
    command: click.Command = cli
    ctx = click.Context(cli, info_name="kittywatch", **cli.context_settings)
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            inner = command.get_command(ctx, word)
            if inner is None:
                return f"there is no {word} in {ctx.command_path}"
            command, ctx = inner, click.Context(inner, info_name=word, parent=ctx)
        elif word.startswith("-"):
            options = {option for param in command.params for option in param.opts + param.secondary_opts}
            if word.split("=")[0] not in options | {"--help", "-h"}:
                return f"{ctx.command_path} has no {word}"
    return None


_THEIRS = "spec-kitty agent mission "


def _named(text: str) -> set[str]:
    """Commands between backticks; a text within a text, as in a remedy, has them too."""
    return set(re.findall(rf"`((?:{'|'.join(PROGRAMS)}) [a-z][^`\n…·]*)`", text))


@pytest.mark.parametrize("where", ["README.md", "CONTRIBUTING.md", "docs", "kittywatch", "help"])
def test_every_command_that_a_text_names_exists(where: str) -> None:
    """Also in messages: a remedy that can't be carried out is none.

    Those of spec-kitty-cli are tried with itself, in tests/cli/test_event_log.py.
    """
    if where == "help":
        texts = [text for _, text in helps()]
    elif where == "kittywatch":
        texts = [path.read_text("utf-8") for path in sorted((ROOT / where).rglob("*.py"))]
    elif where == "docs":
        texts = [path.read_text("utf-8") for path in sorted((ROOT / where).glob("*.md"))]
    else:
        texts = [(ROOT / where).read_text("utf-8")]
    wrong = []
    for name in sorted({name for text in texts for name in _named(text) if not name.startswith(_THEIRS)}):
        words = [word for word in re.sub(r"\{[^}]*\}", "X", name.split("|")[0]).split()[1:] if word != "X"]
        words = words[: words.index("-C")] + words[words.index("-C") + 1 :] if "-C" in words else words
        problem = _resolve(words)
        if problem is not None:
            wrong.append(f"`{name}`: {problem}")
    assert not wrong, "\n".join(wrong)
