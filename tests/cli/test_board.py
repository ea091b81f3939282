"""`board`: the lanes of the project in the terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.builders import work_package_text
from tests.cli.conftest import WP01, Command
from tests.history.script import Repository

OTHER = WP01.replace("001-login", "002-other")
HOSTILE = '"\\e]0;owned\\a\\e[2J\\u202egnp [bold]\\tx"'


@pytest.fixture
def lanes(repository: Repository) -> Repository:
    """WP01 for_review and committed, WP02 doing and not; a second feature."""
    repository.commit("02-05", files={OTHER: work_package_text(lane="done", title="Other", agent="codex")})
    repository.write(WP01.replace("WP01", "WP02"), work_package_text(lane="doing", wp_id="WP02", dependencies="[WP01]"))
    return repository


def test_piped(kittywatch: Command, lanes: Repository) -> None:
    """A line each, with tabs between; what is not committed counts."""
    done = kittywatch("board")
    assert (done.code, done.err) == (0, "")
    assert [line.split("\t") for line in done.out.splitlines()] == [
        ["001-login", "WP01", "for_review", "-", "Build it"],
        ["001-login", "WP02", "doing", "-", "Build it"],
        ["002-other", "WP01", "done", "codex", "Other"],
    ]


def test_edits_and_removed_files_count(kittywatch: Command, lanes: Repository) -> None:
    lanes.write(WP01, work_package_text(lane="done"))
    (lanes.root / OTHER).unlink()
    assert [line.split("\t")[:3] for line in kittywatch("board").out.splitlines()] == [
        ["001-login", "WP01", "done"],
        ["001-login", "WP02", "doing"],
    ]


def test_json(kittywatch: Command, lanes: Repository) -> None:
    value = json.loads(kittywatch("board", "--json").out)
    assert [feature["feature_slug"] for feature in value["features"]] == ["001-login", "002-other"]
    assert value["features"][0]["work_packages"][1] == {
        "wp_id": "WP02",
        "title": "Build it",
        "lane": "doing",
        "category": "active",
        "agent": None,
        "dependencies": ["WP01"],
        "path": WP01.replace("WP01", "WP02"),
    }


def test_one_feature(kittywatch: Command, lanes: Repository) -> None:
    assert kittywatch("board", "--feature", "002-other").out.startswith("002-other\t")
    done = kittywatch("board", "--feature", "009-none")
    assert (done.code, done.out) == (1, "")
    assert "'009-none'" in done.err


def test_nothing_is_written(kittywatch: Command, repository: Repository) -> None:
    """Looking at lanes makes no identity and no database."""
    assert kittywatch("board").code == 0
    assert not (repository.root / ".kittify").exists()
    assert not os.path.exists(os.environ["SPEC_KITTY_HOME"])


def test_no_work_packages(kittywatch: Command, repository: Repository) -> None:
    (repository.root / WP01).unlink()
    done = kittywatch("board")
    assert (done.code, done.out) == (0, "")
    assert "no work packages" in done.err
    assert json.loads(kittywatch("board", "--json").out)["features"] == []


def test_broken_and_laneless(kittywatch: Command, lanes: Repository) -> None:
    """What has no lane has a dash; what cannot be read is a warning that names file and line."""
    lanes.write(WP01, work_package_text(lane=None))
    lanes.write(OTHER, "---\nlane: [\n---\n")
    done = kittywatch("board")
    assert done.out.splitlines()[0].split("\t")[2] == "-"
    assert f"warning: {OTHER}:" in done.err


def on_a_terminal(command: list[str], repository: Repository, **environment: str) -> str:
    """What a person sees: a pseudo terminal of 100 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kittywatch.cli.main", *command],
        cwd=repository.root,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait() == 0
    return seen.decode()


def test_where_a_person_watches(lanes: Repository) -> None:
    """A table, one column a lane, in colours unless NO_COLOR says otherwise."""
    seen = on_a_terminal(["board"], lanes)
    assert "\x1b[" in seen
    bare = on_a_terminal(["board"], lanes, NO_COLOR="1")
    assert "\x1b[3" not in bare
    for text in ("Planned 0", "Doing 1", "For review 1", "Done 1", "WP02 Build it", "001-login", "codex"):
        assert text in bare


def line(wp_id: str, before: str, after: str, number: int) -> str:
    """A line of spec-kitty 3's event log."""
    fields = {
        "event_id": f"01M8G9HSDBKZVZW3BCK5MT6N{number:02d}",
        "wp_id": wp_id,
        "from_lane": before,
        "to_lane": after,
        "at": f"2026-02-06T10:00:{number:02d}+00:00",
        "actor": "claude",
    }
    return json.dumps(fields) + "\n"


@pytest.fixture
def both_schemes(lanes: Repository) -> Repository:
    """Lanes in frontmatter, and a mission whose lanes are in its event log."""
    tasks = "kitty-specs/003-mission/tasks"
    for number in range(1, 4):
        lanes.write(f"{tasks}/WP{number:02d}.md", work_package_text(lane=None, wp_id=f"WP{number:02d}", title="Log it"))
    steps = [("WP01", "planned", "claimed"), ("WP01", "claimed", "in_progress"), ("WP02", "planned", "blocked")]
    steps.append(("WP03", "planned", "canceled"))
    log = "".join(line(*step, number) for number, step in enumerate(steps, start=10))
    lanes.write("kitty-specs/003-mission/status.events.jsonl", log)
    return lanes


def test_each_feature_has_the_columns_of_its_scheme(both_schemes: Repository) -> None:
    """Nine lanes of which the empty ones are named below; four where lanes are in frontmatter."""
    bare = on_a_terminal(["board"], both_schemes, NO_COLOR="1")
    first, mission = bare.split("003-mission")
    assert "Planned 0" in first
    assert "Doing 1" in first
    for text in ("In progress 1", "Blocked 1", "Canceled 1"):
        assert text in mission
    assert "empty: Planned, Claimed, For review, In review, Approved, Done" in mission
    assert "Claimed 0" not in mission
    seen = on_a_terminal(["board", "--feature", "003-mission"], both_schemes)
    assert "\x1b[33m" in seen  # active
    assert "\x1b[31m" in seen  # blocked


def test_json_says_what_a_lane_means(kittywatch: Command, both_schemes: Repository) -> None:
    features = json.loads(kittywatch("board", "--json").out)["features"]
    mission = next(one for one in features if one["feature_slug"] == "003-mission")
    assert [(one["lane"], one["category"]) for one in mission["work_packages"]] == [
        ("in_progress", "active"),
        ("blocked", "blocked"),
        ("canceled", "canceled"),
    ]


def test_a_feature_of_both_schemes_has_categories(both_schemes: Repository) -> None:
    """One work package's lane is still in frontmatter, the others' are in the log."""
    path = "kitty-specs/003-mission/tasks/WP04.md"
    both_schemes.write(path, work_package_text(lane="doing", wp_id="WP04", title="Old"))
    bare = on_a_terminal(["board", "--feature", "003-mission"], both_schemes, NO_COLOR="1")
    assert "In progress 2" in bare
    assert "empty: To do, In review, Done" in bare


def test_hostile_text_never_reaches_a_terminal(kittywatch: Command, repository: Repository) -> None:
    """Not as an escape sequence, not as rich's markup, not as a tab that would make another column."""
    evil = f"---\nlane: doing\ntitle: {HOSTILE}\nagent: {HOSTILE}\n---\n"
    repository.commit("02-06", files={WP01: evil, WP01.replace("001-login", "003-\x1b[2J"): evil})
    seen = on_a_terminal(["board"], repository, NO_COLOR="1")
    assert "\x1b]0" not in seen
    assert "\x1b[2J" not in seen
    assert "\x07" not in seen
    assert "\u202e" not in seen
    assert "[bold]" in seen
    piped = kittywatch("board").out
    assert not set(piped) & set("\x07\x1b\u202e")
    assert {line.count("\t") for line in piped.splitlines()} == {4}
