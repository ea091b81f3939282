"""Review feedback: what a reviewer wrote into the section of a work package that is kept for it."""

from __future__ import annotations

import re

from kittywatch.startup.patterns import pattern

_SECTION = pattern(r"^## +Review Feedback[ \t]*$", re.MULTILINE | re.IGNORECASE)
_LINE = pattern(r"^(?P<heading>#{1,2} )|^ {0,3}(?P<fence>`{3,}|~{3,})", re.MULTILINE)
_COMMENT = pattern(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# How the templates of several versions, and agents who fill them in, say that there is nothing.
_NOTHING = pattern(
    r"(?:this section is )?(?:empty|none|nothing|no (?:review )?feedback)(?: yet| initially| so far)?"
    r"[ \t]*(?:[-.,;:(–—\n]|\Z)",
    re.IGNORECASE,
)
_LIMIT = 10_000  # characters; an event is no place for a book


def read_feedback(body: str) -> str | None:
    """The feedback in a body whose line ends are \\n, None where there is none; a long one is cut.

    The templates fill the empty section with a quotation and a placeholder, both of which are no feedback (rule R7).
    """
    opening = _SECTION.search(body)
    if opening is None:
        return None
    lines = _COMMENT.sub("", _section(body, opening.end())).strip().split("\n")
    said = "\n".join(line for line in lines if not line.startswith(">") and not _is_placeholder(line))
    paragraphs = [text for text in said.split("\n\n") if not _is_placeholder(text)]
    text = "\n\n".join(paragraphs).strip().removesuffix("---").strip()
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


def _is_placeholder(text: str) -> bool:
    """A line or paragraph, all of it in emphasis or in brackets, that says that there is nothing yet."""
    text = text.strip()
    mark = text[:1] if text[:1] in ("*", "_") else ""
    inner = text.strip(mark) if mark else text
    emphasised = bool(mark) and text.endswith(mark) and f"{mark} " not in inner
    bracketed = inner[:1] + inner[-1:] in ("[]", "()")
    if emphasised and bracketed and inner.startswith("["):
        return True
    return (emphasised or bracketed) and _NOTHING.match(inner.strip("[()] ")) is not None
