"""B2: replay of real repositories tells a history, and tells it once."""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kittywatch.errors import GitError, NotAProjectError, ProjectError
from kittywatch.events import from_json
from kittywatch.observe import replay as replay_module
from kittywatch.observe.observation import observe
from kittywatch.observe.reconcile import reconcile_view
from kittywatch.observe.replay import Replay, Scope, Summary
from kittywatch.store import outbox
from kittywatch.sync.identity import CONFIG
from tests.history.replaying import briefs, fingerprint, ids, lanes, opened, replay
from tests.history.script import LOGIN, ODD, Repository, build, text, wp

IDENTITY = 'project:\n  uuid: "550e8400-e29b-41d4-a716-446655440000"\n  slug: demo\n  node_id: "a1b2c3d4e5f6"\n'
EXPECTED = [
    json.loads(line) for line in Path(__file__).with_name("expected.jsonl").read_text(encoding="utf-8").splitlines()
]
COUNTED = ("FeatureCreated", "WPCreated", "WPStatusChanged", "ErrorLogged")  # what has its own place in the ledger


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history, made once; nobody may write to it."""
    root = tmp_path_factory.mktemp("built") / "demo"
    build(root)
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """A copy of the history, with an identity."""
    copy = tmp_path / "demo"
    shutil.copytree(built, copy, symlinks=True)
    identify(copy)
    return copy


@pytest.fixture
def home(own_home: Path) -> Path:
    return own_home / ".spec-kitty"


def identify(root: Path) -> None:
    (root / CONFIG).parent.mkdir(exist_ok=True)
    (root / CONFIG).write_text(IDENTITY, encoding="utf-8")


def ledger(root: Path, home: Path) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """Each work package's entries, which have no position: sorted."""
    with opened(root, home) as project:
        state = project.emitter.peek(lambda unit: unit.ledger.read())
    return {
        key: sorted((one.kind, one.lane, one.event_id or "") for one in history.entries)
        for key, history in state.histories.items()
    }


def chains(events: list[dict[str, Any]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    found = defaultdict(list)
    for one in events:
        if one["type"] == "WPStatusChanged":
            found[one["feature"], one["wp"]].append((one["from"], one["to"]))
    return found


# The history with every oddity


def test_what_a_replay_tells(root: Path, home: Path) -> None:
    """Exactly expected.jsonl, in its order: R1 to R6, D1 to D6, O4, O5."""
    warnings: list[str] = []
    told = briefs(replay(root, home, warnings=warnings))
    for number, (one, expected) in enumerate(zip(told, EXPECTED, strict=False), start=1):
        assert one == expected, f"line {number} of expected.jsonl"
    assert len(told) == len(EXPECTED)
    assert len(warnings) == 1, "the feature whose name is no slug has no FeatureCreated, and that is said"
    assert "feature_slug" in warnings[0]
    assert "größe" not in warnings[0]


def test_expected_chains_hold() -> None:
    """O10: in a view each previous lane is the new one before it, from planned; so for what was written by hand, too.

    The conflict's other side is no part of what main showed.
    """
    side = [one for one in EXPECTED if one["feature"] == ODD and one["at"] == "2026-03-05T12:00:00Z"]
    assert len(side) == 1
    for steps in chains([one for one in EXPECTED if one not in side]).values():
        assert [before for before, _ in steps] == ["planned", *(after for _, after in steps[:-1])]


def test_events_of_a_replay(root: Path, home: Path) -> None:
    """Distinct ids, rising ticks, one causation for a feature and its work packages, one correlation for all."""
    events = replay(root, home)
    assert len(set(ids(events))) == len(events)
    ticks = [event.lamport_clock for event in events]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    first = [event for event in events if type(event).__name__ != "WPStatusChanged"][:3]
    assert [type(event).__name__ for event in first] == ["FeatureCreated", "WPCreated", "WPCreated"]
    assert len({event.causation_id for event in first}) == 1
    assert first[0].causation_id is not None
    assert len({event.correlation_id for event in events}) == 1


def test_twice_tells_nothing(root: Path, home: Path) -> None:
    """B2: the second run tells nothing, and says how much was told already."""
    summaries: list[Summary] = []
    first = replay(root, home, summary=summaries)
    before = ledger(root, home)
    assert replay(root, home, summary=summaries) == []
    assert ledger(root, home) == before
    assert summaries[0].emitted == len(first)
    assert (summaries[0].commits, summaries[1].commits) == (37, 37)
    assert summaries[1].emitted == 0
    discarded = 1  # the creation of 006-größe, whose name the contract does not allow: settled, with a warning
    counted = [one for one in briefs(first) if one["type"] in COUNTED]
    assert summaries[1].already_emitted == len(counted) + discarded


def test_two_clones_and_two_homes(root: Path, tmp_path: Path) -> None:
    """O9: the same event ids on another clone and machine, also with a longer name of the same revision."""
    other = tmp_path / "elsewhere" / "a clone"
    subprocess.run(["git", "clone", "-q", root, other], check=True)
    identify(other)
    first, second = replay(root, tmp_path / "one"), replay(other, tmp_path / "two", revision="refs/heads/main")
    assert ids(first) == ids(second)
    assert briefs(second) == EXPECTED


def test_the_other_clone_on_the_same_home(root: Path, home: Path, tmp_path: Path) -> None:
    """O1: one ledger, two clones: told once."""
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", root, other], check=True)
    identify(other)
    assert replay(root, home)
    assert replay(other, home) == []


def test_a_dry_run_writes_nothing(root: Path, home: Path) -> None:
    """The home, which isn't there yet, and the repository stay byte for byte; then the real run has the same ids."""
    assert not home.exists()
    before = fingerprint(root)
    dry = replay(root, home, dry_run=True)
    assert fingerprint(root) == before
    assert not home.exists()
    assert ids(replay(root, home)) == ids(dry)
    after = fingerprint(home)
    assert replay(root, home, dry_run=True) == []
    assert fingerprint(home) == after
    assert fingerprint(root) == before


def test_a_dry_run_without_an_identity_makes_none(built: Path, home: Path) -> None:
    assert len(replay(built, home, dry_run=True)) == len(EXPECTED)
    assert not (built / CONFIG).exists()
    assert not home.exists()


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(Scope(since=datetime(2026, 2, 20, tzinfo=UTC)), id="since the middle"),
        pytest.param(Scope(since=datetime(2027, 1, 1, tzinfo=UTC)), id="since later than all"),
        pytest.param(Scope(since=datetime(2026, 2, 12, tzinfo=UTC), feature=LOGIN), id="since, of one feature"),
        pytest.param(Scope(feature=ODD), id="one feature"),
        pytest.param(Scope(feature="999-none"), id="no feature"),
    ],
)
def test_a_part_and_then_the_whole(root: Path, home: Path, tmp_path: Path, scope: Scope) -> None:
    """B2: a full replay tells the rest, each once; then the log of each work package is as after one run."""
    part = replay(root, home, scope=scope)
    assert replay(root, home, scope=scope) == []
    rest = replay(root, home)
    whole = replay(root, tmp_path / "whole")
    assert sorted(ids(part) + ids(rest)) == sorted(ids(whole))
    assert ledger(root, home) == ledger(root, tmp_path / "whole")
    assert replay(root, home) == []


def test_a_part_in_small_batches(root: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out in one transaction is left out in the next."""
    whole = replay(root, tmp_path / "whole")
    monkeypatch.setattr(replay_module, "BATCH", 2)
    part = replay(root, home, scope=Scope(since=datetime(2026, 2, 22, tzinfo=UTC)))
    assert sorted(ids(part) + ids(replay(root, home))) == sorted(ids(whole))
    assert ledger(root, home) == ledger(root, tmp_path / "whole")


def test_a_part_goes_by_what_was_before_it(tmp_path: Path, home: Path) -> None:
    """B2: what is left out is emitted by the next replay, and is the past of the part: a feature that was complete, an
    agent that had taken it on, a content that was broken are no news of the part.
    """
    repository = Repository(tmp_path / "parts")
    one, two, three = (wp(LOGIN, name) for name in ("WP01", "WP02", "WP03"))
    foo = "---\nlane: foo\n---\n"
    repository.commit("02-01", files={one: text("WP01", "One", "planned", agent="claude"), three: foo})
    repository.commit("02-02", files={one: text("WP01", "One", "doing", agent="claude"), three: None})
    repository.commit("02-03", files={one: text("WP01", "One", "done", agent="claude")})
    repository.commit("02-10", files={two: text("WP02", "Two", "planned"), three: foo})
    repository.commit("02-11", files={two: text("WP02", "Two", "done"), three: None})
    repository.commit("02-12", files={one: text("WP01", "One", "for_review", agent="claude")})
    repository.commit("02-13", files={one: text("WP01", "One", "done", agent="claude")})
    whole = replay(repository.root, tmp_path / "whole")
    part = replay(repository.root, home, scope=Scope(since=datetime(2026, 2, 10, tzinfo=UTC)))
    rest = replay(repository.root, home)
    assert sorted(ids(part) + ids(rest)) == sorted(ids(whole))
    assert [one["type"] for one in briefs(part) if one["type"] != "WPStatusChanged"] == [
        "WPCreated",
        "FeatureCompleted",
    ]


def test_since_counts_author_time(root: Path, home: Path) -> None:
    """The 20th itself counts; what was committed before it doesn't, whatever its records say."""
    part = briefs(replay(root, home, scope=Scope(since=datetime(2026, 2, 20, 12, tzinfo=UTC))))
    first = next(number for number, one in enumerate(EXPECTED) if one["at"] == "2026-02-20T12:00:00Z")
    assert [one for one in part if one["type"] == "WPStatusChanged"] == [
        one for one in EXPECTED[first:] if one["type"] == "WPStatusChanged"
    ]


def test_of_one_feature(root: Path, home: Path) -> None:
    assert briefs(replay(root, home, scope=Scope(feature=LOGIN))) == [
        one for one in EXPECTED if one["feature"] == LOGIN
    ]


@pytest.mark.parametrize("batches", [1, 4, 9])
def test_interrupted_between_batches(
    root: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    """Resumable: what was told before the interruption stays told, the next run goes on; together they are one run."""
    whole = replay(root, tmp_path / "whole")
    monkeypatch.setattr(replay_module, "BATCH", 3)
    with opened(root, home) as project:
        run = Replay(project.git, project.names, project.emitter).run("HEAD")
        told = [event for _ in range(batches) for event in next(run)]
        run.close()  # type: ignore[attr-defined]
    told += replay(root, home)
    assert ids(told) == ids(whole)
    assert [event.lamport_clock for event in told] == [event.lamport_clock for event in whole]
    assert ledger(root, home) == ledger(root, tmp_path / "whole")


def test_a_bad_moment_loses_no_batch(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O8: an interruption within a transaction leaves nothing of it; the next run tells it."""
    monkeypatch.setattr(replay_module, "BATCH", 3)
    with opened(root, home) as project:
        told: list[str] = []

        def interrupt(unit: Any, *arguments: Any) -> Any:
            Replay._emit(run, unit, *arguments)
            raise KeyboardInterrupt

        run = Replay(project.git, project.names, project.emitter)
        batches = run.run("HEAD")
        told += ids(next(batches))
        monkeypatch.setattr(run, "_emit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            next(batches)
    rest = replay(root, home)
    assert briefs(rest) == EXPECTED[len(told) :]


def test_commits_one_at_a_time(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A growing branch, replayed after each commit, tells the same in the same order."""
    log = subprocess.run(
        ["git", "rev-list", "--author-date-order", "--reverse", "HEAD"], cwd=root, check=True, capture_output=True
    )
    told = [event for commit in log.stdout.decode().split() for event in replay(root, home, revision=commit)]
    assert briefs(told) == EXPECTED


def test_a_duplicate_is_told_once_however_often_it_is_saved(tmp_path: Path, home: Path) -> None:
    """R6: the others cause one ErrorLogged, whatever they say; a third one its own."""
    repository = Repository(tmp_path / "duplicates")
    first, second = wp(LOGIN, "WP01-a"), wp(LOGIN, "WP01-b")
    repository.commit("02-01", files={first: text("WP01", "A", "planned"), second: text("WP01", "B", "planned")})
    repository.commit("02-02", files={second: text("WP01", "B", "doing")})
    repository.commit("02-03", files={first: text("WP01", "A", "doing")})
    repository.commit("02-04", files={wp(LOGIN, "WP01-c"): text("WP01", "C", "done")})
    told = briefs(replay(repository.root, home))
    assert [one["where"].rpartition("/")[2] for one in told if one["type"] == "ErrorLogged"] == [
        "WP01-b.md:1",
        "WP01-c.md:1",
    ]
    assert chains(told) == {(LOGIN, "WP01"): [("planned", "doing")]}


def test_content_that_breaks_again(tmp_path: Path, home: Path) -> None:
    """R5: once per broken content: the same again is no news, other content is; a body below it is not other."""
    repository = Repository(tmp_path / "broken")
    path = wp(LOGIN, "WP01")
    contents = ["lane: foo", "lane: doing", "lane: foo", "lane: bar", "lane: foo\ntitle: more", "lane: bar"]
    for day, content in enumerate(contents, start=1):
        repository.commit(f"02-{day:02}", files={path: f"---\n{content}\n---\nday {day}\n"})
    told = briefs(replay(repository.root, home))
    assert [one["at"][8:10] for one in told if one["type"] == "ErrorLogged"] == ["01", "04", "05"]
    assert lanes(replay(repository.root, tmp_path / "other")) == ["WP01 created", "WP01 planned→doing"]


# Beside live observation


def test_after_a_baseline(root: Path, home: Path) -> None:
    """B1: init takes everything in silently; the replay tells it as if there had been no baseline."""
    with opened(root, home) as project:
        seen = observe(project, "init")
        assert seen.events == []
        assert seen.baseline == len({(one["feature"], one["wp"]) for one in EXPECTED if one["type"] == "WPCreated"})
    assert briefs(replay(root, home)) == EXPECTED
    assert replay(root, home) == []
    with opened(root, home) as project:
        assert observe(project, "scan").events == []


@pytest.fixture
def small(tmp_path: Path) -> Repository:
    """WP01, planned and then doing, with an identity that is committed."""
    repository = Repository(tmp_path / "small")
    path = wp(LOGIN, "WP01")
    repository.commit("02-01", files={str(CONFIG): IDENTITY, path: text("WP01", "Log in", "planned")})
    repository.commit("02-02", files={path: text("WP01", "Log in", "doing")})
    return repository


def test_scenario_41_and_42(small: Repository, home: Path, tmp_path: Path) -> None:
    """Live after a baseline, then a replay, then a replay of another clone with another home."""
    path = wp(LOGIN, "WP01")
    with opened(small.root, home) as project:
        assert observe(project, "watch").baseline == 1
        small.write(path, text("WP01", "Log in", "for_review"))
        live = observe(project, "watch").events
        assert lanes(live) == ["WP01 doing→for_review"]
        small.commit("02-03")
        assert observe(project, "watch").events == []
        small.commit("02-04", files={path: text("WP01", "Log in", "done")})
        live += observe(project, "watch").events
        assert lanes(live) == ["WP01 doing→for_review", "WP01 for_review→done"]
    told = replay(small.root, home)
    assert lanes(told) == ["WP01 created", "WP01 planned→doing"]
    assert replay(small.root, home) == []
    assert [(kind, lane) for kind, lane, _ in ledger(small.root, home)[LOGIN, "WP01"]] == [
        ("created", "planned"),
        ("known", "doing"),
        ("step", "doing"),
        ("step", "done"),
        ("step", "for_review"),
    ]
    with opened(small.root, home) as project:
        assert reconcile_view(project, dry_run=True) == [], "what is emitted late, of earlier, is not what came last"

    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", small.root, clone], check=True)
    again = replay(clone, tmp_path / "second home")
    assert lanes(again) == ["WP01 created", "WP01 planned→doing", "WP01 doing→for_review", "WP01 for_review→done"]
    here, there = set(ids(told + live)), set(ids(again))
    assert here - there == {live[0].event_id}, "only what was told from an edit has the time of its observation"


def test_after_live_observation_of_everything(small: Repository, home: Path) -> None:
    """B2: after live observation it tells nothing that was told: here from the first commit on."""
    path = wp(LOGIN, "WP02")
    with opened(small.root, home) as project:
        observe(project, "watch")
        live = []
        for day, lane in enumerate(("planned", "doing", "planned", "doing", "done"), start=3):
            small.commit(f"02-{day:02}", files={path: text("WP02", "Two", lane)})
            live += observe(project, "watch").events
    steps = ["planned→doing", "doing→planned", "planned→doing", "doing→done"]
    assert lanes(live) == ["WP02 created", *(f"WP02 {step}" for step in steps)]
    assert lanes(replay(small.root, home)) == ["WP01 created", "WP01 planned→doing"]


@pytest.mark.parametrize("lane", ["doing", "for_review"])
def test_a_replay_before_the_first_observation(tmp_path: Path, home: Path, lane: str) -> None:
    """B1, O5: who replays before anything observes stands at the end of what was told; going back is news."""
    repository = Repository(tmp_path / "replayed")
    path = wp(LOGIN, "WP01")
    for day, shown in enumerate(("planned", "doing", "for_review", "done"), start=1):
        repository.commit(f"02-{day:02}", files={path: text("WP01", "Log in", shown)})
    repository.commit("02-05", files={"README.md": "x"})
    assert len(lanes(replay(repository.root, home))) == 4
    with opened(repository.root, home) as project:
        assert observe(project, "watch").events == []
        repository.write(path, text("WP01", "Log in", lane))
        told = observe(project, "watch").events
        repository.commit("02-06")
        told += observe(project, "watch").events
    assert lanes(told) == [f"WP01 done→{lane}"]


# Other repositories


def test_a_detached_head(root: Path, home: Path) -> None:
    """Scenario 40: the history of what is checked out; then that of the branch tells the rest."""
    subprocess.run(["git", "checkout", "-q", "--detach", "HEAD~6"], cwd=root, check=True)
    part = briefs(replay(root, home))
    assert part == EXPECTED[: len(part)]
    assert len(part) < len(EXPECTED)
    assert part + briefs(replay(root, home, revision="main")) == EXPECTED


def test_a_branch_before_what_it_was_merged_into(root: Path, home: Path) -> None:
    """O1, O4, scenario 15: the branch tells its own commits; the merge of it then adds nothing, nor does the squash."""
    branch = replay(root, home, revision="search")
    assert lanes(branch)[-6:] == [
        "WP01 created",
        "WP02 created",
        "WP01 planned→doing",
        "WP02 planned→doing",
        "WP01 doing→for_review",
        "WP02 doing→done",
    ]
    told = briefs(branch)
    assert briefs(replay(root, home)) == [one for one in EXPECTED if one not in told and one["feature"] != "003-search"]
    squashed = replay(root, home, revision="sessions")
    assert squashed == []


def test_a_shallow_clone(root: Path, home: Path, tmp_path: Path) -> None:
    """Scenario 59: a clear refusal that says what is missing and what helps, and nothing is emitted."""
    clone = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "2", root.as_uri(), clone], check=True)
    identify(clone)
    for dry_run in (True, False):
        with pytest.raises(ProjectError, match="shallow: the history before its first commits is missing") as refused:
            replay(clone, home, dry_run=dry_run)
        assert "git fetch --unshallow" in (refused.value.remedy or "")
    subprocess.run(["git", "fetch", "-q", "--unshallow"], cwd=clone, check=True)
    assert briefs(replay(clone, home)) == EXPECTED


def test_a_partial_clone_without_network(root: Path, home: Path, tmp_path: Path) -> None:
    """Scenario 59: a clear refusal that says what is missing; what can't be read is no error of a work package."""
    subprocess.run(["git", "config", "uploadpack.allowFilter", "true"], cwd=root, check=True)
    clone = tmp_path / "partial"
    subprocess.run(["git", "clone", "-q", "--filter=blob:none", root.as_uri(), clone], check=True)
    identify(clone)
    root.rename(tmp_path / "out of reach")
    with pytest.raises(GitError, match="objects are missing here, as in a partial clone") as refused:
        replay(clone, home)
    assert "git fetch --refetch" in refused.value.remedy
    (tmp_path / "out of reach").rename(root)
    subprocess.run(["git", "fetch", "-q", "--refetch", "--no-filter"], cwd=clone, check=True)
    assert briefs(replay(clone, home)) == EXPECTED


def test_a_linked_worktree(root: Path, home: Path, tmp_path: Path) -> None:
    """The identity and the ledger are the project's: told once."""
    subprocess.run(["git", "worktree", "add", "-q", tmp_path / "linked", "main~3"], cwd=root, check=True)
    part = replay(tmp_path / "linked", home)
    assert briefs(part + replay(root, home)) == EXPECTED


def test_a_name_with_everything_in_it(built: Path, home: Path, tmp_path: Path) -> None:
    """Scenario 40: a path with spaces, quotes, a tab and letters of other scripts."""
    odd = tmp_path / 'it\'s "a" tab\there — größe 猫'
    shutil.copytree(built, odd, symlinks=True)
    identify(odd)
    assert briefs(replay(odd, home)) == EXPECTED


SETTINGS = {
    "color.ui": "always",
    "core.abbrev": "5",
    "core.pager": "false",
    "core.quotePath": "false",
    "diff.external": "false",
    "diff.noprefix": "true",
    "diff.relative": "true",
    "diff.renames": "copies",
    "format.pretty": "oneline",
    "i18n.logOutputEncoding": "latin1",
    "log.date": "relative",
    "log.decorate": "full",
    "log.follow": "true",
    "log.mailmap": "false",
    "log.showRoot": "false",
    "log.showSignature": "true",
    "status.branch": "true",
    "status.relativePaths": "true",
    "status.renames": "copies",
    "status.short": "true",
    "status.showStash": "true",
    "status.showUntrackedFiles": "no",
}


@pytest.mark.parametrize("merges", ["combined", "off", "separate"])
def test_nobodys_configuration_changes_a_history(root: Path, home: Path, own_home: Path, merges: str) -> None:
    """git is asked in a way that its configuration has no say in: for a history, and for what isn't committed."""
    (own_home / "order").write_text("*.json\n", encoding="utf-8")
    for name, value in {**SETTINGS, "diff.orderFile": str(own_home / "order"), "log.diffMerges": merges}.items():
        subprocess.run(["git", "config", "--global", name, value], check=True)
    with opened(root, home) as project:
        observe(project, "watch")
    assert briefs(replay(root, home)) == EXPECTED
    with opened(root, home) as project:
        assert observe(project, "watch").events == []
        (root / wp(LOGIN, "WP01-setup")).write_text(text("WP01", "Set up", "doing"), encoding="utf-8")
        (root / wp(LOGIN, "WP09")).write_text(text("WP09", "Nine", "doing"), encoding="utf-8")
        told = lanes(observe(project, "watch").events)
    assert told == ["WP01 done→doing", "WP09 created", "WP09 planned→doing"]


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("1700000000 +0000", "2023-11-14T22:13:20Z"),
        ("1700000000 +051800", "2023-11-14T22:13:20Z"),
        ("1700000000 -9999", "2023-11-14T22:13:20Z"),
        ("0 +0000", "1970-01-01T00:00:00Z"),
        ("253402300799 -0800", "9999-12-31T23:59:59Z"),
        ("253402300800 +0000", "2026-02-01T12:00:00Z"),
        ("99999999999999999999 +0000", "2026-02-01T12:00:00Z"),
        ("-5 +0000", "2026-02-01T12:00:00Z"),
        ("yesterday", "2026-02-01T12:00:00Z"),
    ],
)
def test_what_old_tools_wrote_for_a_time(tmp_path: Path, home: Path, author: str, expected: str) -> None:
    """D5: the author's time in any zone that was ever written; the committer's where there is none."""
    repository = Repository(tmp_path / "dates")
    repository.commit("02-01", files={wp(LOGIN, "WP01"): text("WP01", "Log in", "doing")})
    lines = repository.git("cat-file", "commit", "HEAD").split("\n")
    lines = [f"author A <a@example.invalid> {author}" if line.startswith("author ") else line for line in lines]
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        cwd=repository.root,
        input="\n".join(lines).encode(),
        capture_output=True,
        check=True,
    )
    repository.git("reset", "-q", "--hard", made.stdout.decode().strip())
    assert {one["at"] for one in briefs(replay(repository.root, home))} == {expected}


def test_replays_at_once(root: Path, home: Path) -> None:
    """O1: several processes replay one history at the same moment: each event is told once, and in order."""
    program = (
        "import sys; from pathlib import Path;"
        "from kittywatch.observe import replay; from kittywatch.project import Project;"
        "replay.BATCH = 2; project = Project.find(Path('.'), len);"
        "run = replay.Replay(project.git, project.names, project.emitter); print('ready', flush=True);"
        "sys.stdin.readline(); print(sum(len(events) for events in run.run('HEAD')))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    counts = [int(process.communicate()[0]) for process in running]
    assert sum(counts) == len(EXPECTED)
    with opened(root, home) as project:
        nothing: list[outbox.LogRow] = []
        rows = project.emitter.read(lambda connection, row: outbox.logged(connection, row), default=nothing)
    told = [from_json(row.data) for row in rows]
    assert [event.lamport_clock for event in told] == list(range(1, len(EXPECTED) + 1))
    assert briefs(told) == EXPECTED


def test_without_a_commit(tmp_path: Path, home: Path) -> None:
    """Scenario 40: a clear refusal."""
    repository = Repository(tmp_path / "empty")
    with pytest.raises(GitError, match="HEAD is no commit here"):
        replay(repository.root, home)


def test_a_bare_repository(tmp_path: Path, home: Path) -> None:
    """Scenario 40: a clear refusal."""
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
    with pytest.raises(NotAProjectError, match="not in a git repository with a worktree"):
        replay(tmp_path / "bare.git", home)


def test_a_revision_that_is_none(root: Path, home: Path) -> None:
    for revision in ("nothing", "--all", "HEAD:README.md", ""):
        with pytest.raises(GitError, match="is no commit here"):
            replay(root, home, revision=revision)


def test_a_repository_without_work_packages(tmp_path: Path, home: Path) -> None:
    repository = Repository(tmp_path / "none")
    repository.commit("02-01", files={"README.md": "x", "kitty-specs/README.md": "x"})
    assert replay(repository.root, home) == []


# A real project's history, where one is at hand

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


@pytest.mark.beside(CORPUS)
def test_a_real_project(tmp_path: Path, home: Path) -> None:
    """Each work package's chain as it must be; the second run tells nothing."""
    repository = Repository(tmp_path / "corpus")
    stream = CORPUS / "spec-kitty-events.fast-export.xz"
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=repository.root, input=lzma.decompress(stream.read_bytes()), check=True
    )
    repository.git("reset", "-q", "--hard", "main")
    listing = CORPUS / "spec-kitty-events.expected.jsonl"
    expected: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in listing.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        fields = event.get("payload", event)
        if event["event_type"] in ("WPCreated", "WPStatusChanged"):
            words = f"{fields.get('previous_status')}→{fields.get('new_status')}"
            expected[fields["feature_slug"], fields["wp_id"]].append(
                "created" if event["event_type"] == "WPCreated" else words
            )
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in briefs(replay(repository.root, home, revision="main")):
        if one["type"] in ("WPCreated", "WPStatusChanged"):
            words = f"{one.get('from')}→{one.get('to')}"
            told[one["feature"], one["wp"]].append("created" if one["type"] == "WPCreated" else words)
    assert told == expected
    assert replay(repository.root, home, revision="main") == []
