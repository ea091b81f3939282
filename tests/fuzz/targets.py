"""What is fuzzed: a function of bytes that must hold for all of them, and documents to begin with.

A target asserts what holds of any input; what it may raise on purpose it catches. The benchmark of the slowest case
runs the same targets.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from kittywatch.cli.lines import event_line
from kittywatch.cli.output import plain
from kittywatch.errors import AuthenticationError, GitError, SyncError
from kittywatch.events import LARGEST_CLOCK, Creation, InvalidEventError, from_json, to_json
from kittywatch.git import objects, output, reflog
from kittywatch.home import sync_settings
from kittywatch.observe.reader import broken_content, content_key
from kittywatch.store import clock
from kittywatch.sync.address import server_url
from kittywatch.sync.credentials import CredentialsFile
from kittywatch.sync.http import Answer
from kittywatch.sync.identity import config_from, identity_in
from kittywatch.sync.link import Answer as Fated
from kittywatch.sync.link import Link, MoveClock, Send
from kittywatch.sync.settings import read_settings
from kittywatch.sync.verdicts import classify, retry_after
from kittywatch.workpackages.features import read_dependencies, read_meta
from kittywatch.workpackages.lane_source import Given
from kittywatch.workpackages.lanes import LANES, LaneNames
from kittywatch.workpackages.layout import place
from kittywatch.workpackages.reader import Problem, read_work_package
from kittywatch.workpackages.sources import DEFAULT
from kittywatch.workpackages.trail import digest, read_trail
from kittywatch.yaml.mapping import read_mapping
from kittywatch.yaml.values import PlainYamlError
from tests.builders import PATH, record, work_package_text

_NAMES = LaneNames()
_UUID = "550e8400-e29b-41d4-a716-446655440000"
_ID = "01KGVAJ8Q0QA9SC5A4DRVRVQYJ"
_ACTED_ON = set(map(chr, [*range(0x20), *range(0x7F, 0xA0)])) | set("\u200e\u200f\u202a\u202b\u202d\u202e\u2028\u2029")


@dataclass(frozen=True)
class Target:
    """`cases` are how many of a hundred thousand it gets."""

    name: str
    run: Callable[[bytes], None]
    documents: tuple[bytes, ...]
    cases: int


def _harmless(text: str) -> None:
    """What a terminal gets has nothing in it that a terminal acts on."""
    assert not set(text) & _ACTED_ON


def work_package(data: bytes) -> None:
    """Read, or refused with a line that is in the file and a reason that a terminal can show."""
    read = read_work_package(PATH, data, _NAMES)
    problem = read if isinstance(read, Problem) else read.problem
    if problem is not None:
        # A line ends at \r, too, and libyaml counts those of Unicode.
        assert 1 <= problem.line <= len(data.decode("utf-8", "replace").splitlines()) + 2
        broken_content(problem, content_key(data), {} if isinstance(read, Problem) else {read.key: read}, "")
        _harmless(plain(str(problem)))
    if not isinstance(read, Problem):
        assert read.lane is None or read.lane in LANES
        assert read.wp_id[:2] == "WP"
        _harmless(plain(read.title))


def neighbors(data: bytes) -> None:
    """Every file of every source: what it says can be an event, what is wrong with it is named with a line."""
    for path in _NEIGHBORS:
        unit = DEFAULT.unit_of(path)
        assert unit is not None
        source = DEFAULT[unit]
        files = {path: data} if path.endswith("config.yml") else {path: data, "backlog/config.yml": b"a: b\n"}
        there = {name: text for name, text in files.items() if DEFAULT.unit_of(name) == unit}
        for finding in source.check(unit, there, _NAMES):
            assert 1 <= finding.line <= len(data.decode("utf-8", "replace").splitlines()) + 2
            _harmless(plain(str(finding)))
        said = {name: (source.read(name, text, _NAMES), "") for name, text in there.items()}
        for package in source.together(unit, there, Given(said)).packages.values():
            Creation(wp_id=package.wp_id, title=package.title, dependencies=[], feature_slug=package.feature)
            assert package.lane is None or package.scheme.category(package.lane) is not None
            _harmless(plain(package.title))


def trail(data: bytes) -> None:
    """Records have moments with zones, and a trail's fingerprint is of its records alone."""
    records = read_trail(data.decode("utf-8", "replace"))
    assert all(one.moment.tzinfo is not None and one.agent for one in records)
    assert len(digest(records)) in (0, 32)
    assert digest(records) == digest(read_trail("\n".join(_line(data))))


def _line(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").split("\n")


def yaml(data: bytes) -> None:
    """Text, lists and mappings, or an error; nothing is ever constructed."""
    try:
        fields, lines = read_mapping(data.decode("utf-8", "replace"))
    except PlainYamlError as error:
        fields, lines = {}, {}
        line = error.line
    else:
        line = 1
    assert line >= 1
    assert fields.keys() == lines.keys()


def configuration(data: bytes) -> None:
    """An identity with a valid uuid, or without one."""
    try:
        found = identity_in(config_from(data))
    except PlainYamlError:
        return
    assert found.project_uuid is None or len(found.project_uuid) == 36


def feature_files(data: bytes) -> None:
    meta = read_meta(data, "001-login")
    assert meta.number is not None
    assert meta.number.isdigit()
    if meta.created_at is not None:
        assert datetime.fromisoformat(meta.created_at.upper()).tzinfo is not None
    for wp_id, others in read_dependencies(data).items():
        assert wp_id not in others


def layout(data: bytes) -> None:
    """No path outside of kitty-specs/<feature>/tasks is a work package's."""
    path = data.decode("utf-8", "surrogateescape")
    where = place(path)
    if where is not None:
        assert path.startswith("kitty-specs/")
        assert path.split("/")[2] == "tasks"
        where.feature.encode()


def commits(data: bytes) -> None:
    """git's own form, around any path, time and number of changes: what was put in comes out."""
    paths = [part for part in data.split(b"\0") if part.strip() and not part.startswith(b"\x01")] or [b"x"]
    stated = data[:20].replace(b"\0", b"").replace(b"\x01", b"").decode("ascii", "replace").replace("\n", "")
    fields = b"\0".join(b":000000 100644 %s %s A\0%s" % (b"0" * 40, b"1" * 40, path) for path in paths)
    header = b"\x01" + b"a" * 40 + b" " + b"b" * 40 + b"\x01" + stated.encode() + b" 12"
    out = header + b"\0\n" + fields + b"\0" + header + b"\0"
    first, second = output.commits(out)
    assert [file.path.encode("utf-8", "surrogateescape") for file in first.changed] == paths
    assert (second.changed, first.moment.tzinfo) == ((), UTC)


def answers_of_git(data: bytes) -> None:
    """`cat-file --batch`: a blob's bytes whole, whatever they are, and the next answer after it."""
    stream = io.BytesIO(b"1" * 40 + b" blob %d\n" % len(data) + data + b"\n" + b"2" * 40 + b" missing\n")
    assert objects._answer(stream, 1 << 20) == (b"blob", data)
    assert objects._answer(stream, 1 << 20) == (b"missing", None)
    try:
        kind, content = objects._answer(io.BytesIO(data), 1 << 20)
    except GitError:
        assert data == b"", "only where git has ended there is no answer"
        return
    assert content is None or data.startswith(kind, data.index(kind))


def objects_of_git(data: bytes) -> None:
    """Commits and trees that no git has written: read, or left to git."""
    stated = objects._stated(data)
    assert stated is None or stated.seconds >= 0
    for kind in (b"tree", b"commit"):
        answer = b"1" * 40 + b" %b %d\n" % (kind, len(data)) + data + b"\n"
        start: Any = partial(_Served, answer)
        served = objects.Objects(start)
        found = served.tree("1" * 40) if kind == b"tree" else served.commit("1" * 40)
        assert found is None or isinstance(found, (dict, objects.Stated))


class _Served:
    """What stands in for a process of git that answers with made-up objects: git itself would refuse to."""

    def __init__(self, answer: bytes) -> None:
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO(answer)


def logs(data: bytes) -> None:
    entries = list(reflog._entries(data))
    *stays, last = reflog.stays(entries, {"refs/heads/main"})
    assert all(stay.entries for stay in stays)
    assert last.tip is None or last.tip in {entry.new for entry in entries}
    for entry in entries:
        assert not (entry.made and entry.arrived)


_KEPT = tempfile.TemporaryDirectory(prefix="kittywatch-fuzz-")
_PLACE = Path(_KEPT.name)


def home_files(data: bytes) -> None:
    """Settings, credentials, the clock's copy: what makes no sense is passed over, or refused without its content."""
    for name in ("config.toml", "credentials", "clock.json"):
        (_PLACE / name).write_bytes(data)
    assert sync_settings(_PLACE).max_queue_size > 0
    assert read_settings(_PLACE).interval_seconds > 0
    assert 0 <= clock.read_copy(_PLACE / "clock.json") <= LARGEST_CLOCK
    said = ""
    try:
        CredentialsFile(_PLACE).read()
    except AuthenticationError as error:
        said = str(error) + error.remedy
    assert "SECRET" not in said
    CredentialsFile(_PLACE).remembered()


def addresses(data: bytes) -> None:
    """An address in its one spelling, or an error; never one with a password, never plain http to elsewhere."""
    try:
        url = server_url(data.decode("utf-8", "replace"))
    except SyncError:
        return
    assert url == server_url(url)
    assert "@" not in url.partition("//")[2].partition("/")[0]
    assert url.startswith(("https://", "http://localhost", "http://127.", "http://[", "http://LOCALHOST"))


def answers(data: bytes) -> None:
    """An HTTP answer to a batch: a verdict for every status, and no fate for what was not sent."""
    ids = [_ID, "01KGVAJ8Q0QA9SC5A4DRVRVQYK"]
    headers = {"retry-after": data[:40].decode("latin-1"), "content-type": "application/json"}
    for status in (200, 400, 403, 413, 429, 500, 302):
        verdict = classify(status, headers, data, ids, now=1_770_000_000.0)
        assert set(getattr(verdict, "fates", {})) <= set(ids)
        for reason in [*getattr(verdict, "reasons", {}).values(), getattr(verdict, "reason", "")]:
            _harmless(plain(reason))
    wait = retry_after(headers, now=1_770_000_000.0)
    assert wait is None or 0 <= wait <= 86400
    _ = Answer(200, headers, data).value


def messages(data: bytes) -> None:
    """What a server sends over a WebSocket: answers count for what was sent alone, and the clock stays in reach."""
    link = Link(roll=lambda: 0.5)
    link.start(0.0)
    link.opened(0.0)
    link.sent(_ID, 0.0)
    for message in (
        data,
        data.decode("utf-8", "replace"),
        json.dumps({"type": "ack", "status": data.decode("latin-1")}),
    ):
        for action in link.received(message, 1.0):
            if isinstance(action, Fated):
                assert action.event_id == _ID
                _harmless(plain(action.reason))
            elif isinstance(action, MoveClock):
                assert 0 <= action.value <= LARGEST_CLOCK
            else:
                assert isinstance(action, Send)
                assert len(action.text) < 500
    link.lost(2.0)


def events(data: bytes) -> None:
    """What another program put into the queue, or a server sent: an event, or refused without its content."""
    try:
        event = from_json(data)
    except InvalidEventError as error:
        _harmless(plain(str(error)))
        return
    assert from_json(to_json(event)) == event
    _harmless(event_line(event))


def terminal(data: bytes) -> None:
    """Escaped text is harmless, has one line, and as JSON still says the same."""
    for text in (data.decode("utf-8", "replace"), data.decode("latin-1"), data.decode("utf-8", "surrogateescape")):
        _harmless(plain(text))
        assert plain(plain(text)) == plain(text)
    value = data.decode("utf-8", "replace")
    assert json.loads(plain(json.dumps({"title": value}, ensure_ascii=False)))["title"] == value


_TRAIL = "\n".join(record(f"2026-01-0{day}T10:00:00Z", lane) for day, lane in enumerate(("doing", "done"), start=1))
_PACKAGES = (
    work_package_text(lane="doing", trail=_TRAIL.split("\n"), dependencies="[WP02, WP03]").encode(),
    work_package_text(lane="for_review", body="```\n" + _TRAIL + "\n```\n\n~~~~\n# x\n~~~~").encode(),
    work_package_text(lane="done", body="```md\n```py\n```\n## x\n```\n## Activity Log\n\n" + _TRAIL).encode(),
    work_package_text(body="## Review Feedback\n\n> x\n\n*[Empty\ninitially.]*\n\nNo.\n\n## x").encode(),
    b"\xef\xbb\xbf---\r\nlane: 'done'\r\n---\r\n\r\n# T\r\n",
    b"---\n---\n",
    b"",
)
_CONFIGURATIONS = (
    f'# mine\nproject:\n  uuid: "{_UUID}"\n  slug: shop\n  node_id: "0123456789ab"\nsync: {{a: true}}\n'.encode(),
    b"lanes:\n  aliases:\n    wip: doing\n",
    b"[a, b]\n",
)
_META = (
    b'{"feature_number": "001", "target_branch": "main", "created_at": "2026-01-02T03:04:05Z"}',
    b"# Tasks\n\n## Work Package WP02: x\n**Depends on**: WP01, WP03\n### Dependencies\n- WP04\n\n#### WP05\n"
    b"Depends on WP02\n",
)
_OBJECTS = (
    b"tree %s\nparent %s\nauthor A <a@example.invalid> 1767225600 +0100\ncommitter A <a> 1 +0\n\nx"
    % (b"1" * 40, b"2" * 40),
    b"100644 WP01.md\0" + b"1" * 20 + b"40000 tasks\0" + b"2" * 20,
)
_LOG = b"%s %s Ada <ada@example.invalid> 1767225600 +0100\t%s\n"
_LOGS = tuple(
    _LOG % (b"0" * 40, b"1" * 40, message)
    for message in (b"commit: x", b"checkout: moving from main to other", b"pull: Fast-forward", b"rebase (pick): y")
)
_HOME = (
    b'[sync]\nserver_url = "https://hub.example.org"\ninterval_seconds = 5\nmax_queue_size = 10\nca_file = "x.pem"\n',
    b'[tokens]\naccess = "SECRET"\nrefresh = "SECRET"\naccess_expires_at = "2026-01-01T00:00:00+00:00"\n'
    b'refresh_expires_at = 2026-01-01T00:00:00Z\n[user]\nusername = "m"\n[server]\nurl = "https://hub.example.org"\n',
    b'{"value": 41, "node_id": "0123456789ab", "updated_at": "2026-01-01T00:00:00Z"}\n',
)
_ANSWERS = (
    json.dumps({"results": [{"event_id": _ID, "status": "rejected", "error_message": "no"}]}).encode(),
    json.dumps({"results": [{"event_id": _ID, "status": "success"}, {"event_id": "x", "status": "queued"}]}).encode(),
    json.dumps({"error": "bad", "details": {_ID: ["it is wrong"]}}).encode(),
    b"120",
    b"Wed, 21 Oct 2026 07:28:00 GMT",
)
_EVENT = {
    "event_type": "WPStatusChanged",
    "event_id": _ID,
    "aggregate_id": "WP01",
    "aggregate_type": "WorkPackage",
    "node_id": "0123456789ab",
    "build_id": "x",
    "lamport_clock": 1,
    "causation_id": None,
    "correlation_id": _ID,
    "timestamp": "2026-01-02T03:04:05Z",
    "team_slug": "local",
    "project_uuid": _UUID,
    "project_slug": "shop",
    "schema_version": "1.0.0",
    "payload": {
        "wp_id": "WP01",
        "previous_status": "planned",
        "new_status": "doing",
        "changed_by": "a",
        "feature_slug": "001-login",
    },
}
_MESSAGES = tuple(
    json.dumps(message).encode()
    for message in (
        {"type": "ack", "event_id": _ID, "status": "success"},
        {"type": "ack", "event_id": _ID, "status": "error", "error_message": "no"},
        {"type": "ping", "timestamp": "2026-01-02T03:04:05Z"},
        {"type": "event", "event": _EVENT},
        {"type": "snapshot", "work_packages": [{"wp_id": "WP01", "lamport_clock": 41}]},
    )
)
_PATHS = (PATH.encode(), b"kitty-specs/001-x/tasks/doing/deep/WP02-y.md", b"kitty-specs/../tasks/WP01.md", b"a\nb\xff")
_ADDRESSES = (b"https://hub.example.org:8443/x", b"http://[::1]:8765", b"http://localhost")
_TEXTS = ("Título \u202egnp\x1b]0;x\x07 \U000e0041".encode(), b"\x9b31m", *_PACKAGES[:1])

_NEIGHBORS = (
    *("backlog/tasks/task-1 - A.md", "backlog/config.yml", "backlog/milestones/m-0 - one.md"),
    *("specs/001-a/tasks.md", ".taskmaster/tasks/tasks.json", "sprint-status.yaml"),
)
_OF_NEIGHBORS = (
    b"---\nid: TASK-1\nstatus: In Progress\nassignee:\n  - '@ann'\nmilestone: v1\ndependencies: [task-2]\n---\n",
    b'project_name: "demo"\nstatuses: ["To Do", "In Progress", "Done"]\n',
    b"# Tasks\n\n- [ ] T001 [P] [US1] One\n```\n- [x] 1.1 Two\n```\n- [X] **1.2** Three\n",
    b'{"master": {"tasks": [{"id": 1, "title": "One", "status": "done", "subtasks": [{"id": 1, "status": "x"}]}]}}',
    b"development_status:\n  epic-1: done\n  1-1-sign-in: ready-for-dev\n  epic-1-retrospective: optional\n",
)
TARGETS = (
    Target("work_package", work_package, _PACKAGES, 12_000),
    Target("neighbors", neighbors, _OF_NEIGHBORS, 3_000),
    Target("trail", trail, (_TRAIL.encode(), *_PACKAGES[:3]), 15_000),
    Target("yaml", yaml, (*_CONFIGURATIONS, b"lane: doing\ntitle: 'x'\ndependencies: [WP01]\n"), 11_000),
    Target("configuration", configuration, _CONFIGURATIONS, 5_000),
    Target("feature_files", feature_files, _META, 10_000),
    Target("layout", layout, _PATHS, 4_000),
    Target("commits", commits, _PATHS, 4_000),
    Target("answers_of_git", answers_of_git, (b"", b"x\n", *_PACKAGES), 3_000),
    Target("objects_of_git", objects_of_git, _OBJECTS, 4_000),
    Target("logs", logs, (*_LOGS, b"".join(_LOGS)), 5_000),
    Target("home_files", home_files, _HOME, 1_000),
    Target(
        "addresses", addresses, (b"https://hub.example.org:8443/x", b"http://[::1]:8765", b"http://localhost"), 3_000
    ),
    Target("answers", answers, _ANSWERS, 5_000),
    Target("messages", messages, _MESSAGES, 5_000),
    Target("events", events, (json.dumps(_EVENT).encode(),), 5_000),
    Target("terminal", terminal, _TEXTS, 5_000),
)
