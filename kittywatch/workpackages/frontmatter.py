"""The frontmatter of a Markdown file: python-frontmatter finds the block, plain YAML is what may stand in it."""

from __future__ import annotations

from itertools import islice

from frontmatter.default_handlers import YAMLHandler
from msgspec import Struct

from kittywatch.plain_yaml import PlainYamlError, Value, read_mapping

_HANDLER = YAMLHandler()


class FrontmatterError(ValueError):
    """Frontmatter that cannot be read; `line` counts from 1 in the file."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class Frontmatter(Struct, frozen=True):
    """The fields of a block, the line in the file that each begins in, and the text after the block."""

    fields: dict[str, Value]
    lines: dict[str, int]
    body: str


class Bounds(Struct, frozen=True):
    """Offsets in a text: the block between its two lines `---`, and where the body begins."""

    block: int
    end: int
    body: int


def find_frontmatter(text: str) -> Bounds:
    """Where the block of a text that `read_frontmatter` can read stands."""
    skipped = len(text) - len(text.lstrip())
    boundaries = list(islice(_HANDLER.FM_BOUNDARY.finditer(text, skipped), 2))
    if len(boundaries) < 2 or boundaries[0].start() != skipped:
        raise FrontmatterError(1, "there is no frontmatter: the file must begin with a line ---")
    return Bounds(boundaries[0].end(), boundaries[1].start(), boundaries[1].end())


def read_frontmatter(text: str) -> Frontmatter:
    """Split and read a text whose line ends are \\n; raises FrontmatterError."""
    start = text.lstrip()
    skipped = text[: len(text) - len(start)].count("\n")
    opening = _HANDLER.FM_BOUNDARY.match(start)
    if opening is None:
        raise FrontmatterError(1, "there is no frontmatter: the file must begin with a line ---")
    try:
        block, body = _HANDLER.split(start)
    except ValueError:
        raise FrontmatterError(skipped + 1, "the frontmatter has no end: a second line --- is missing") from None
    skipped += opening[0].count("\n")  # blank lines right after the first --- are part of it
    try:
        fields, lines = read_mapping(block)
    except PlainYamlError as error:
        raise FrontmatterError(error.line + skipped, f"the frontmatter is not usable: {error.reason}") from None
    return Frontmatter(fields, {key: line + skipped for key, line in lines.items()}, body)
