"""The frontmatter of a Markdown file: python-frontmatter finds the block, plain YAML is what may stand in it.

A block between two lines of three dashes each needs no library to be found, and a hook no time to load it.
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from kittywatch.workpackages.text import ContentError
from kittywatch.yaml.mapping import read_mapping
from kittywatch.yaml.values import PlainYamlError, Value


class FrontmatterError(ContentError):
    """Frontmatter that cannot be read."""


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
    """Where the block of a text that `read_frontmatter` can read stands; raises FrontmatterError."""
    from frontmatter.default_handlers import YAMLHandler  # see above

    skipped = len(text) - len(text.lstrip())
    boundaries = list(islice(YAMLHandler().FM_BOUNDARY.finditer(text, skipped), 2))
    if len(boundaries) < 2 or boundaries[0].start() != skipped:
        raise FrontmatterError(1, "there is no frontmatter: the file must begin with a line ---")
    return Bounds(boundaries[0].end(), boundaries[1].start(), boundaries[1].end())


def read_frontmatter(text: str) -> Frontmatter:
    """Split and read a text whose line ends are \\n; raises FrontmatterError."""
    skipped, block, body = _plainly(text) or _split(text)
    try:
        fields, lines = read_mapping(block)
    except PlainYamlError as error:
        raise FrontmatterError(error.line + skipped, f"the frontmatter is not usable: {error.reason}") from None
    return Frontmatter(fields, {key: line + skipped for key, line in lines.items()}, body)


def _plainly(text: str) -> tuple[int, str, str] | None:
    """The parts of a text in its usual form, as `_split` returns them; None where it has another one."""
    end = text.find("\n---", 3)
    if not text.startswith("---\n") or text[4:5].isspace() or end < 0 or text[end + 4 : end + 5] != "\n":
        return None
    rest = text[end + 4 :]
    blank = rest[: len(rest) - len(rest.lstrip())]
    return 0, text[3 : end + 1], rest[blank.rfind("\n") :] if blank != rest else ""


def _split(text: str) -> tuple[int, str, str]:
    """The lines before the block, the block and the body; raises FrontmatterError."""
    from frontmatter.default_handlers import YAMLHandler  # see above

    handler = YAMLHandler()
    start = text.lstrip()
    skipped = text[: len(text) - len(start)].count("\n")
    opening = handler.FM_BOUNDARY.match(start)
    if opening is None:
        raise FrontmatterError(1, "there is no frontmatter: the file must begin with a line ---")
    try:
        block, body = handler.split(start)
    except ValueError:
        raise FrontmatterError(skipped + 1, "the frontmatter has no end: a second line --- is missing") from None
    return skipped + opening[0].count("\n"), block, body  # blank lines right after the first --- are part of it
