"""The event log of spec-kitty 3 and 4: `status.events.jsonl`, a JSON object a line (rules E1 to E9).

A log is read line by line, and each line once, however many versions of the log it stands in: what one says is a
function of its bytes. Lines that are no lane lines and no annotations are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct, field

from kittywatch.startup.digests import sha256
from kittywatch.startup.patterns import pattern
from kittywatch.workpackages.lanes import Lane
from kittywatch.workpackages.log_lines import Lines, grouped, heads_of
from kittywatch.workpackages.schemes import SPEC_KITTY_3
from kittywatch.workpackages.stated import GENESIS, StatedNote, StatedStep, Steps, Verdict, Who, is_ulid

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

    lanes: Mapping[str, Steps] = field(default_factory=dict)
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


class LogReader:
    """Reads logs, and remembers what each line says; a log that another one only adds to is read no further."""

    def __init__(self) -> None:
        self._said: dict[bytes, _Said] = {}
        self._decoder = msgspec.json.Decoder(_Line)
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
        data = data.removeprefix(b"\xef\xbb\xbf")
        steps, others = self._apart(data)
        lanes: dict[str, dict[str, StatedStep]] = {}
        notes: dict[str, list[StatedNote]] = {}
        faults = list(known.faults)
        conflict = any(fault.reason == _CONFLICT for fault in faults)
        for number, line in others:
            said = self._known(line)
            if said is None:
                continue
            if isinstance(said, StatedStep):
                lanes.setdefault(said.wp_id, {}).setdefault(said.id, said)
            elif isinstance(said, StatedNote):
                notes.setdefault(said.wp_id, []).append(said)
            elif not (conflict and line.startswith(_MARKERS)):
                conflict = conflict or line.startswith(_MARKERS)
                faults.append(Fault(lines + number + 1, said, sha256(line).hexdigest()[:32]))
        more: dict[str, Steps] = {**steps}
        for wp_id in [*lanes, *(one for one in steps if one in known.lanes and one not in lanes)]:
            new = {**{step.id: step for step in steps.get(wp_id, ())}, **lanes.get(wp_id, {})}
            more[wp_id] = Steps.joined(known.lanes.get(wp_id, ()), new)
        noted = {wp_id: (*known.notes.get(wp_id, ()), *found) for wp_id, found in notes.items()}
        return Log({**known.lanes, **more}, {**known.notes, **noted}, tuple(faults))

    def _apart(self, data: bytes) -> tuple[dict[str, Steps], Iterable[tuple[int, bytes]]]:
        """The steps of a long log whose lines can be read together, and the lines that are to be read one by one."""
        heads = heads_of(data) if data.count(b"\n") > _MANY else None
        if heads is None:
            return {}, enumerate(data.split(b"\n"))
        lines = Lines(data, self._line)
        groups, others = grouped(heads, _is_id, _LANES)
        return {wp_id: lines.steps(group, heads) for wp_id, group in groups.items()}, lines.some(others)

    def forget(self) -> None:
        """Start over, where too much is remembered."""
        if len(self._said) > 200_000 or len(self._last) > 2_000:
            self._said.clear()
            self._last.clear()

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


def _is_id(written: str) -> bool:
    return _WP_ID.match(written) is not None


def _read(line: _Line, text: bytes) -> _Said:
    if line.event_type is not None or line.event_name is not None:
        return None
    if line.kind is not None:
        return _note(line) if line.kind == "annotation" else None
    if line.wp_id is None or line.to_lane is None:
        return None
    if not isinstance(line.wp_id, str) or not _is_id(line.wp_id):
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
    if not isinstance(line.wp_id, str) or not _is_id(line.wp_id) or name is None or moment is None:
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
