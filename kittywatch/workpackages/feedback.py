"""Review feedback: what a reviewer wrote into the section of a work package that is kept for it."""

from __future__ import annotations

import re

from kittywatch.startup.patterns import pattern

_SECTION = pattern(r"^## +Review Feedback[ \t]*$", re.MULTILINE | re.IGNORECASE)
_LINE = pattern(r"^(?P<heading>#{1,2} )|^ {0,3}(?P<fence>`{3,}|~{3,})", re.MULTILINE)
_COMMENT = pattern(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LIMIT = 10_000  # characters; an event is no place for a book


def read_feedback(body: str) -> str | None:
    """The feedback in a body whose line ends are \\n, None where there is none; a long one is cut.

    The templates fill the empty section with a quotation and a line in italics, both of which are no feedback.
    """
    opening = _SECTION.search(body)
    if opening is None:
        return None
    lines = _COMMENT.sub("", _section(body, opening.end())).strip().split("\n")
    said = [line for line in lines if not _from_template(line)]
    text = "\n".join(said).strip().removesuffix("---").strip()
    return (text if len(text) <= _LIMIT else f"{text[:_LIMIT]}…") or None


def _section(body: str, start: int) -> str:
    """The text up to the next heading of this level that is not in fenced code."""
    fence = ""
    for line in _LINE.finditer(body, start):
        if line["heading"]:
            if not fence:
                return body[start : line.start()]
        elif not fence:
            fence = line["fence"]
        elif line["fence"].startswith(fence):
            fence = ""
    return body[start:]


def _from_template(line: str) -> bool:
    return line.startswith(">") or (line.startswith("*[") and line.rstrip().endswith("]*"))
