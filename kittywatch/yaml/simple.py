"""The usual forms of YAML's lines, read without a library."""

from __future__ import annotations

from kittywatch.yaml.values import NULL, Value

_LONGEST_KEY = 128  # YAML ends a key without quotes at 1,024
_DEEPEST = 8


def read_simple(text: str) -> tuple[dict[str, Value], dict[str, int]] | None:
    """As `read_mapping` where every line is of a simple form, None where one is not."""
    numbers: dict[str, int] = {}
    try:
        lines = _Lines(text)
        pairs = lines.mapping(0, 0, numbers)
    except _NotSimpleError:
        return None
    return (pairs, numbers) if pairs and lines.at_end else None


class _NotSimpleError(Exception):
    """A line of another form, or in another place, than this module reads."""


class _Lines:
    """Goes through the lines of a text; comments and empty lines are left out."""

    def __init__(self, text: str) -> None:
        self._left = [
            (number, len(line) - len(line.lstrip(" ")), line.strip(" "))
            for number, line in enumerate(text.split("\n"), start=1)
            if (bare := line.strip(" ")) and bare[0] != "#"
        ]
        self._left.reverse()
        if not all(line.isprintable() for _, _, line in self._left):
            raise _NotSimpleError

    @property
    def at_end(self) -> bool:
        return not self._left

    def mapping(self, indent: int, depth: int, numbers: dict[str, int] | None = None) -> dict[str, Value]:
        """The pairs that begin at an indent, up to a line further left."""
        pairs: dict[str, Value] = {}
        while self._left and self._left[-1][1] >= indent:
            number, at, line = self._left.pop()
            key, colon, rest = line.partition(":")
            if at != indent or not colon or not _is_key(key) or (rest and rest[0] != " "):
                raise _NotSimpleError
            if numbers is not None:
                numbers[key] = number
            pairs[key] = _scalar(rest.lstrip(" ")) if rest else self._below(indent, depth)
        return pairs

    def _below(self, indent: int, depth: int) -> Value:
        """What the lines below a key without a value are to it."""
        if depth == _DEEPEST:
            raise _NotSimpleError
        if not self._left:
            return None
        _, at, line = self._left[-1]
        if line.startswith("- ") and at >= indent:
            return self._sequence(at, depth + 1)
        return self.mapping(at, depth + 1) if at > indent else None

    def _sequence(self, indent: int, depth: int) -> list[Value]:
        items: list[Value] = []
        while self._left and self._left[-1][1] == indent and self._left[-1][2].startswith("- "):
            number, _, line = self._left.pop()
            item = line[2:].lstrip(" ")
            key, colon, rest = item.partition(":")
            if colon and _is_key(key) and (not rest or rest[0] == " "):
                inner = indent + len(line) - len(item)
                self._left.append((number, inner, item))
                items.append(self.mapping(inner, depth + 1))
            else:
                items.append(_scalar(item))
        return items


def _is_key(text: str) -> bool:
    word = text.replace("_", "").replace("-", "")
    return word.isalnum() and text.isascii() and text[0] != "-" and len(text) <= _LONGEST_KEY


def _scalar(text: str) -> Value:
    first, inner = text[:1], text[1:-1]
    if first in ('"', "'"):
        if len(text) < 2 or text[-1] != first or first in inner or (first == '"' and "\\" in inner):
            raise _NotSimpleError
        return inner
    if first == "[":
        if text[-1] != "]":
            raise _NotSimpleError
        return [_word(part.strip(" ")) for part in inner.split(",")] if inner.strip(" ") else []
    if not (first.isalnum() or first in ("_", "/", ".", "(", "~")) or ": " in text or " #" in text or text[-1] == ":":
        raise _NotSimpleError
    return None if text in NULL else text


def _word(text: str) -> Value:
    """An item of a list in brackets."""
    quoted = len(text) > 1 and text[0] in ('"', "'") and text[-1] == text[0]
    word = text[1:-1] if quoted else text
    if not _is_key(word):
        raise _NotSimpleError
    return None if word in NULL and not quoted else word
