"""The event log of spec-kitty 3 and 4: `status.events.jsonl`, a JSON object a line (rules E1 to E9).

A log is read line by line, and each line once, however many versions of the log it stands in: what one says is a
function of its bytes. Lines that are no lane lines and no annotations are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct, field

from kittywatch.startup.digests import sha256
from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from kittywatch.workpackages.stated import GENESIS, StatedNote, StatedStep, Verdict, Who, is_ulid

MAX_BYTES = 64 << 20
_WP_ID = pattern(r"WP[0-9]+\Z")
_ABSENT = pattern(r"__resolved_\w*absent__\Z")
_PATH = pattern(r"(?:[A-Za-z]:)?[\\/]|~|\.{1,2}[\\/]")
_LANES = frozenset((*SPEC_KITTY_3.lanes, GENESIS))
_CONFLICT = "a conflict of git's is not resolved here"
_MANY = 100  # lines; up to here a log is read line by line, and each line once
_MARKERS = (b"<<<<<<< ", b"=======", b">>>>>>> ", b"||||||| ")
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Fault(Struct, frozen=True):
    """What is wrong with one line of a log, for people; `content` is a fingerprint of the line."""

    line: int
    reason: str
    content: str


class Log(Struct, frozen=True):
    """What a log says: of each work package its lane lines, in their order (rule E3), and its notes."""

    lanes: Mapping[str, tuple[StatedStep, ...]] = field(default_factory=dict)
    notes: Mapping[str, tuple[StatedNote, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


_Said: TypeAlias = StatedStep | StatedNote | str | None
"""What a line says: a str is what is wrong with it, None something that doesn't concern us."""


class _Line(Struct):
    """A line as it is written; of every key that may be missing or of another kind, anything."""

    event_id: Any = None
    wp_id: Any = None
    from_lane: Any = None
    to_lane: Any = None
    at: Any = None
    actor: Any = None
    force: Any = None
    execution_mode: Any = None
    reason: Any = None
    review_ref: Any = None
    evidence: Any = None
    review_result: Any = None
    delta: Any = None
    kind: Any = None
    event_type: Any = None
    event_name: Any = None


class _Usual(Struct, gc=False):
    """A line as spec-kitty writes nearly all of them: what is there is of one kind."""

    event_id: str | None = None
    wp_id: str | None = None
    from_lane: str | None = None
    to_lane: str | None = None
    at: datetime | None = None
    actor: str | None = None
    force: bool | None = None
    execution_mode: str | None = None
    reason: str | None = None
    review_ref: str | None = None
    evidence: Any = None
    review_result: Any = None
    kind: Any = None
    event_type: Any = None
    event_name: Any = None


class LogReader:
    """Reads logs, and remembers what each line says; a log that another one only adds to is read no further."""

    def __init__(self) -> None:
        self._said: dict[bytes, _Said] = {}
        self._decoder = msgspec.json.Decoder(_Line)
        self._usual = msgspec.json.Decoder(_Usual)
        self._last: dict[str, tuple[bytes, int, Log]] = {}

    def read(self, data: bytes, path: str = "") -> Log:
        """Read the log at a path; never raises: what can't be read is a fault, and its neighbors count."""
        if len(data) > MAX_BYTES:
            return Log(faults=(Fault(1, f"the log is larger than 64 MiB ({len(data)} bytes)", ""),))
        before, lines, known = self._last.get(path, (b"", 0, Log()))
        if not (before.endswith(b"\n") and data.startswith(before)):
            before, lines, known = b"", 0, Log()
        more = data[len(before) :]
        log = self._read(more, known, lines)
        self._last[path] = data, lines + more.count(b"\n"), log
        return log

    def _read(self, data: bytes, known: Log, lines: int) -> Log:
        """What a log says with more lines behind it; `lines` counts those before them."""
        lanes: dict[str, dict[str, StatedStep]] = {}
        notes: dict[str, list[StatedNote]] = {}
        faults = list(known.faults)
        conflict = any(fault.reason == _CONFLICT for fault in faults)
        for number, (said, line) in enumerate(self._all(data.removeprefix(b"\xef\xbb\xbf")), start=lines + 1):
            if said is None:
                continue
            if isinstance(said, StatedStep):
                lanes.setdefault(said.wp_id, {}).setdefault(said.id, said)
            elif isinstance(said, StatedNote):
                notes.setdefault(said.wp_id, []).append(said)
            elif not (conflict and line.startswith(_MARKERS)):
                conflict = conflict or line.startswith(_MARKERS)
                faults.append(Fault(number, said, sha256(line).hexdigest()[:32]))
        steps = {wp_id: _with(known.lanes.get(wp_id, ()), found) for wp_id, found in lanes.items()}
        noted = {wp_id: (*known.notes.get(wp_id, ()), *found) for wp_id, found in notes.items()}
        return Log({**known.lanes, **steps}, {**known.notes, **noted}, tuple(faults))

    def forget(self) -> None:
        """Start over, where too much is remembered."""
        if len(self._said) > 200_000 or len(self._last) > 2_000:
            self._said.clear()
            self._last.clear()

    def _all(self, data: bytes) -> Iterable[tuple[_Said, bytes]]:
        """What each line says, and the line where that may be nothing or a fault."""
        usual = self._at_once(data) if data.count(b"\n") > _MANY else None
        if usual is None:
            return ((self._known(text), text) for text in data.split(b"\n"))
        steps = [_step(line) for line in usual]
        if all(step is not None for step in steps):
            return ((step, b"") for step in steps)
        return ((step or self._known(text), text) for step, text in zip(steps, data.split(b"\n"), strict=False))

    def _at_once(self, data: bytes) -> list[_Usual] | None:
        """The lines of a long log, which are read faster together; None where one of them is of another form."""
        try:
            lines = self._usual.decode_lines(data)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return lines if len(lines) == data.count(b"\n") and data.endswith(b"\n") else None

    def _known(self, line: bytes) -> _Said:
        said = self._said.get(line, ...)
        if said is ...:
            said = self._said[line] = self._line(line)
        return said

    def _line(self, line: bytes) -> _Said:
        text = line.strip()
        if not text:
            return None
        if line.startswith(_MARKERS):
            return _CONFLICT
        try:
            written = self._decoder.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return "the line is no JSON object"
        return _read(written, text)


def _with(known: Iterable[StatedStep], more: Mapping[str, StatedStep]) -> tuple[StatedStep, ...]:
    """The steps of a work package by their order; of two with one id, the first that stands in the log."""
    steps = {**more, **{step.id: step for step in known}}
    return tuple(sorted(steps.values(), key=lambda step: step.order))


def _step(line: _Usual) -> StatedStep | None:
    """The step of a line that is written as nearly all are; None for any other, which takes longer to read."""
    name, wp_id, previous, new, moment = line.event_id, line.wp_id, line.from_lane, line.to_lane, line.at
    if line.event_type is not None or line.kind is not None or line.event_name is not None or moment is None:
        return None
    if line.evidence is not None or line.review_result is not None or line.review_ref is not None:
        return None
    if name is None or not name.isalnum() or wp_id is None or not _is_id(wp_id) or moment.tzinfo is not UTC:
        return None
    if previous is None or previous not in _LANES or new is None or new not in _LANES or new == GENESIS:
        return None
    actor, mode, reason = _word(line.actor) or "user", _word(line.execution_mode), line.reason
    reason = _text(reason) if reason is not None else None
    return StatedStep(name, wp_id, previous, new, moment, actor, None, line.force, mode, None, reason)


@lru_cache(maxsize=10_000)
def _is_id(written: str) -> bool:
    return _WP_ID.match(written) is not None


@lru_cache(maxsize=1_000)
def _word(written: str | None) -> str | None:
    """As `_text`, of what is the same in many lines."""
    return _text(written)


def _read(line: _Line, text: bytes) -> _Said:
    if line.event_type is not None or line.event_name is not None:
        return None
    if line.kind is not None:
        return _note(line) if line.kind == "annotation" else None
    if line.wp_id is None or line.to_lane is None:
        return None
    if not isinstance(line.wp_id, str) or not _WP_ID.match(line.wp_id):
        return "wp_id is not WP and digits"
    previous, new = _lane(line.from_lane, GENESIS), _lane(line.to_lane, None)
    if new is None or new == GENESIS or previous is None:
        return f"the lane is none of {', '.join(SPEC_KITTY_3.lanes)}"
    name = _text(line.event_id) or f"#{sha256(text).hexdigest()[:26]}"
    moment = _moment(line.at) or _moment_of(name)
    if moment is None:
        return "at is no time with a zone"
    agent, who = _actor(line.actor)
    return StatedStep(
        name,
        line.wp_id,
        previous,
        new,
        moment,
        agent,
        who,
        line.force if isinstance(line.force, bool) else None,
        _text(line.execution_mode),
        _reference(line.review_ref),
        _text(line.reason),
        json.dumps(line.evidence) if isinstance(line.evidence, dict) and line.evidence else None,
        _verdict(line.review_result),
    )


def _note(line: _Line) -> _Said:
    note = line.delta.get("note") if isinstance(line.delta, dict) else None
    name, moment = _text(line.event_id), _moment(line.at)
    if not isinstance(line.wp_id, str) or not _WP_ID.match(line.wp_id) or name is None or moment is None:
        return None
    text = _text(note)
    return StatedNote(name, line.wp_id, moment, _actor(line.actor)[0], text) if text is not None else None


def _lane(written: object, missing: Lane | None) -> Lane | None:
    """A lane by its name, GENESIS among them; None where it is none."""
    if written.__class__ is str and written in _LANES:
        return written
    if written is None:
        return missing
    if not isinstance(written, str):
        return None
    name = written.strip().lower()
    name = "in_progress" if name == "doing" else name  # as spec-kitty itself takes it
    return name if name in _LANES else None


def _actor(written: object) -> tuple[str, Who | None]:
    """The agent's name, and what else is known of it (rule E7)."""
    if isinstance(written, dict):
        who = Who(*(_text(written.get(key)) for key in ("role", "profile", "tool", "model")))
        return (who.name or "user", who if who != Who() else None)
    return _text(written) or "user", None


def _text(written: object) -> str | None:
    """A text that says something; None for all else."""
    if not isinstance(written, str):
        return None
    text = written.strip()
    return None if not text or (text[0] == "_" and _ABSENT.match(text)) else text


def _reference(written: object) -> str | None:
    """A review's reference, None for a path (rule E8)."""
    text = _text(written)
    return None if text is None or _PATH.match(text) else text


def _verdict(written: object) -> Verdict | None:
    if not isinstance(written, dict):
        return None
    verdict = _text(written.get("verdict"))
    return Verdict(_text(written.get("reviewer")) or "user", verdict) if verdict is not None else None


def _moment(written: object) -> datetime | None:
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.fromisoformat(written.strip().upper())
        if moment.tzinfo is UTC:
            return moment
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _moment_of(name: str) -> datetime | None:
    """The time that a ULID begins with; None for any other id."""
    if not is_ulid(name):
        return None
    milliseconds = 0
    for digit in name[:10]:
        milliseconds = milliseconds * 32 + _DIGITS.index(digit)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
