"""The trail: the lane records that a work package keeps in its own activity log (rule R4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct

from kittywatch.startup.digests import sha256
from kittywatch.startup.patterns import pattern

# Only lines that can matter: top-level list items and fences. One pass in C over bodies of up to 1 MiB.
_LINES = pattern(r"^(?:(?P<item>- .*)|(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})(?P<info>.*))$", re.MULTILINE)
_LOG = pattern(r"^##[ \t]++Activity Log[ \t]*+#*+[ \t]*+$", re.MULTILINE | re.IGNORECASE)
# From the start of a run of spaces only: else a long run without a dash takes quadratic time.
_SEPARATOR = pattern(r"(?<![ \t])[ \t]++[-–—][ \t]+")
_BETWEEN = pattern(r"\w+=\S*\Z")
_MOMENT = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)\Z")


class Record(Struct, frozen=True):
    """One line of a trail; `lane` is as written, so that an unknown one can be told from a missing one."""

    moment: datetime
    agent: str
    lane: str
    note: str

    @property
    def key(self) -> str:
        """What makes two records the same: when, who and where to. A note may be polished afterwards."""
        return f"{self.moment.isoformat()} {self.lane} {self.agent}"


def read_trail(body: str) -> tuple[Record, ...]:
    """The records of a body whose line ends are \\n, in the order of the lines."""
    if "lane=" not in body:
        return ()
    return tuple(record for line in _items(body) if (record := _record(line)) is not None)


def digest(trail: tuple[Record, ...]) -> str:
    """A short fingerprint of a trail; equal trails have equal fingerprints, an empty one has ''."""
    if not trail:
        return ""
    return sha256("\n".join(record.key for record in trail).encode()).hexdigest()[:32]


def activity_log(body: str) -> int:
    """Offset of the last heading `## Activity Log`, in fenced code or not; past the end where there is none.

    A fence that is open there is closed by it. Descriptions in real files nest fences wrongly, a block with a
    language inside another one, and so leave one open that would hide the records.
    """
    last = len(body) + 1
    for heading in _LOG.finditer(body):
        last = heading.start()
    return last


def _items(body: str) -> Iterator[str]:
    """Top-level list items outside of fenced code."""
    log = activity_log(body)
    fence, opened = "", 0
    for line in _LINES.finditer(body):
        if fence and opened < log <= line.start():
            fence = ""
        marks = line["fence"]
        if marks is None:
            if not fence:
                yield line["item"]
        elif not fence:
            if marks[0] == "~" or "`" not in line["info"]:  # ```code``` on one line opens nothing
                fence, opened = marks, line.start()
        elif marks[0] == fence[0] and len(marks) >= len(fence) and not line["info"].strip():
            fence = ""


def _record(line: str) -> Record | None:
    if "lane=" not in line:
        return None
    parts = _SEPARATOR.split(line[2:].strip())
    if len(parts) < 3 or not _MOMENT.match(parts[0]) or not parts[1]:
        return None
    stated = next((index for index, part in enumerate(parts) if index > 1 and part.startswith("lane=")), None)
    if stated is None or not all(_BETWEEN.match(part) for part in parts[2:stated]):
        return None
    try:
        moment = datetime.fromisoformat(parts[0].upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    lane = parts[stated].removeprefix("lane=").rstrip()
    return Record(moment, parts[1].strip(), lane, " – ".join(parts[stated + 1 :]))
