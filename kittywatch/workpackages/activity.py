"""Where the next record of a trail goes: at the end of the list that has the last one (rule R4).

The order of the records in the file is their order in time, so a new one stands after all of them. Without any it goes
to the end of the section `Activity Log`, and without that into a new section at the end of the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from kittywatch.workpackages.frontmatter import find_frontmatter
from kittywatch.workpackages.source import EditError, Source
from kittywatch.workpackages.trail import Record, activity_log, read_trail

_SECTION = re.compile(r"#{1,6}[ \t]+activity log\b", re.IGNORECASE)
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"(?:[-*_][ \t]*){3,}$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_BLOCK = re.compile(r"[#>|<*+]|[0-9]+[.)] ")
_SPACE = re.compile(r"\s+")


class NewRecord(Struct, frozen=True):
    """A record to append. `moment` counts in whole seconds; `shell_pid` is what other tools note beside the agent."""

    moment: datetime
    agent: str
    lane: str
    note: str
    shell_pid: str | None = None

    @property
    def line(self) -> str:
        between = f"shell_pid={self.shell_pid} – " if self.shell_pid else ""
        moment = self.moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"- {moment} – {one_line(self.agent)} – {between}lane={self.lane} – {one_line(self.note)}"

    @property
    def record(self) -> Record:
        """What the line reads back as; any separator in a note reads as an en dash."""
        moment = self.moment.astimezone(UTC).replace(microsecond=0)
        found = read_trail(self.line)
        note = found[0].note if found else self.note
        return Record(moment, one_line(self.agent), self.lane, note)


def one_line(text: str) -> str:
    """A text as a record can hold it: in one line, without what a terminal would act on."""
    return _SPACE.sub(" ", "".join(char if char.isprintable() else " " for char in text)).strip()


class _Line(Struct, frozen=True):
    """A line of a body: offsets, and the line where the fenced code around it opens, -1 outside of any.

    `closes` says that it is the last one of fenced code.
    """

    start: int
    end: int
    text: str
    fence: int = -1
    closes: bool = False


def append_record(data: bytes, line: str) -> bytes:
    """The file with a line more in its trail; raises EditError."""
    source = Source(data)
    body = find_frontmatter(source.text).body
    lines = _lines(source.text, body)
    at = _place(lines)
    if at is None:
        return _with_section(source, line)
    index, in_list = at
    _refuse_endless(source, lines, index)
    end = lines[index].end
    new = f"\n{line}" if in_list else f"\n\n{line}"
    if not in_list and index + 1 < len(lines) and lines[index + 1].text.strip():
        new += "\n"
    return source.replaced(end, end, new)


def _with_section(source: Source, line: str) -> bytes:
    """The file with a new section at its end, whose heading ends fenced code; no final line end stays none."""
    text = source.text
    ended = text.endswith("\n")
    gap = "" if text.endswith("\n\n") else "\n" if ended else "\n\n"
    return source.replaced(len(text), len(text), f"{gap}## Activity Log\n\n{line}{chr(10) if ended else ''}")


def _refuse_endless(source: Source, lines: Sequence[_Line], index: int) -> None:
    """What would follow a line would be in fenced code that has no end, where no record counts."""
    if lines[index].fence >= 0 and not lines[index].closes:
        opened = source.text.count("\n", 0, lines[lines[index].fence].start) + 1
        raise EditError(f"the fenced code that begins in line {opened} has no end, so no record can follow; close it")


def _lines(text: str, start: int) -> list[_Line]:
    """The lines of a body, with the fences as the reader of trails sees them."""
    lines: list[_Line] = []
    opened, marks = -1, ""
    body = text[start:]
    log = start + activity_log(body)
    for number, line in enumerate(body.split("\n")):
        if start == log:
            opened, marks = -1, ""
        fence = _FENCE.match(line)
        closes = False
        if fence is not None and not marks and (fence[1][0] == "~" or "`" not in fence[2]):
            opened, marks = number, fence[1]
        elif fence is not None and marks:
            closes = fence[1].startswith(marks) and not fence[2].strip()
        lines.append(_Line(start, start + len(line), line, opened, closes))
        if closes:
            opened, marks = -1, ""
        start += len(line) + 1
    if lines and not lines[-1].text:
        lines.pop()  # what follows the last line end is no line
    return lines


def _place(lines: Sequence[_Line]) -> tuple[int, bool] | None:
    """The line after which the record goes, and whether that ends a list; None where a section is to be made."""
    free = [index for index, line in enumerate(lines) if line.fence < 0]
    records = [index for index in free if lines[index].text.startswith("- ") and read_trail(lines[index].text)]
    if records:
        return _end_of_list(lines, records[-1]), True
    heading = next((index for index in free if _SECTION.match(lines[index].text)), None)
    if heading is None:
        return None
    following = (index for index in free if index > heading and _HEADING.match(lines[index].text))
    end = next(following, len(lines))
    items = [index for index in free if heading < index < end and _is_item(lines[index].text)]
    if items:
        return min(_end_of_list(lines, items[-1]), end - 1), True
    last = max(
        index
        for index in range(heading, end)
        if index == heading or (lines[index].text.strip() and not (_RULE.match(lines[index].text)))
    )
    return last, False


def _is_item(text: str) -> bool:
    return text.startswith("- ") and not _RULE.match(text)


def _end_of_list(lines: Sequence[_Line], item: int) -> int:
    """The last line of the list that has an item: further items, and what is indented below them."""
    last, after_blank = item, False
    for index in range(item + 1, len(lines)):
        line = lines[index]
        if line.fence >= 0:
            if line.fence == index and not line.text.startswith(" "):
                break
        elif not line.text.strip():
            after_blank = True
            continue
        elif not _is_item(line.text) and not line.text.startswith((" ", "\t")):
            lazy = not after_blank and not _BLOCK.match(line.text) and not _RULE.match(line.text)
            if not lazy:
                break
        last, after_blank = index, False
    return last
