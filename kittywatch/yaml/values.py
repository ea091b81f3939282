"""What YAML becomes here, and the error of a text that becomes nothing."""

from __future__ import annotations

from typing import TypeAlias

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"

NULL = frozenset({"", "~", "null", "Null", "NULL"})  # as plain scalars


class PlainYamlError(ValueError):
    """A text that cannot be read; `line` counts from 1 in the text, `reason` quotes no content."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason
