"""Patterns of paths, as sources and their configuration name files: `specs/{feature}/tasks.md`.

`*`, `?` and `[…]` match within a name, `**` any number of directories, `{feature}` a name or a part of it, which is the
feature's. Paths are relative to the project's root, with `/` between their parts, as git gives them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias, TypeVar

FEATURE = "{feature}"
_ANY = "**"
_MAGIC = re.compile(r"[*?\[]|\{feature\}")

Node = TypeVar("Node")
Rest: TypeAlias = "tuple[str | re.Pattern[str], ...]"
"""What is left of a pattern: a name as it is, or an expression for one; `**` is itself."""


class Glob:
    """One pattern; `feature` takes the place of `{feature}` where it is given.

    Raises ValueError for a pattern that leaves the project or names no file.
    """

    def __init__(self, text: str, feature: str | None = None) -> None:
        self.text = text
        self.feature = feature
        self.parts = tuple(text.split("/"))
        if any(part in ("", ".", "..", ".git") for part in self.parts) or self.parts[-1] == _ANY:
            raise ValueError("a pattern names files inside the project: work/{feature}/*.md")

    def match(self, path: str) -> str | None:
        """The feature that a path names, "" where the pattern names none; None where the path doesn't match."""
        found = self._expression.match(path)
        if found is None:
            return None
        return found["feature"] if "feature" in self._expression.groupindex else ""

    @cached_property
    def root(self) -> str:
        """The directory, or the file, that all of it is at or below: what comes before the first wildcard."""
        fixed: list[str] = []
        for part in self.parts:
            if _MAGIC.search(part):
                break
            fixed.append(part)
        return "/".join(fixed)

    @cached_property
    def pathspec(self) -> str:
        """The pattern as git takes it."""
        if self.root == self.text:
            return f":(top,literal){self.text}"
        name = "*" if self.feature is None else re.sub(r"([*?\[\\])", r"\\\1", self.feature)
        return f":(top,glob){self.text.replace(FEATURE, name)}"

    @cached_property
    def rest(self) -> Rest:
        """The pattern, name by name."""
        return tuple(self._name(part) for part in self.parts)

    def _name(self, part: str) -> str | re.Pattern[str]:
        if part == _ANY or not _MAGIC.search(part):
            return part
        if part == FEATURE and self.feature is not None:
            return self.feature
        return re.compile(_translated(part, self.feature), re.DOTALL)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        names = (r"(?:[^/]+/)*" if part == _ANY else _translated(part, self.feature) + "/" for part in self.parts)
        return re.compile("".join(names).removesuffix("/") + r"\Z", re.DOTALL)


def leads(rests: Iterable[Rest], name: str) -> list[Rest]:
    """What is left of some patterns below a name, for those that it leads on."""
    found: list[Rest] = []
    for rest in rests:
        at = 0
        while at < len(rest) and rest[at] == _ANY:
            found.append(rest[at:])
            at += 1
        if at < len(rest) and _is(rest[at], name):
            found.append(rest[at + 1 :])
    return found


def walk(
    rests: list[Rest], node: Node, below: Callable[[Node], Mapping[str, Node] | None], prefix: str = ""
) -> Iterator[tuple[str, Node]]:
    """Each file below a node that one of some patterns matches, with its path.

    `below` says what a directory has below it, None of a file.
    """
    for name, one in (below(node) or {}).items():
        left = leads(rests, name)
        deeper = [rest for rest in left if rest]
        if len(deeper) < len(left) and below(one) is None:
            yield f"{prefix}{name}", one
        elif deeper:
            yield from walk(deeper, one, below, f"{prefix}{name}/")


def _is(part: str | re.Pattern[str], name: str) -> bool:
    return part == name if isinstance(part, str) else part.fullmatch(name) is not None


def _translated(part: str, feature: str | None) -> str:
    """A name's pattern as an expression that stays within the name."""
    named = "(?P<feature>[^/]+)" if feature is None else re.escape(feature)
    return named.join(_within(one) for one in part.split(FEATURE, 1))


def _within(text: str) -> str:
    inner = fnmatch.translate(text).removeprefix("(?s:").removesuffix(r")\Z")
    return re.sub(r"(?<![\\\[])\.", "[^/]", inner)
