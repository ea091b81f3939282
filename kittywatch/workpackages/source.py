"""The bytes of a file as a text with \\n line ends that can be changed in one place, every other byte untouched."""

from __future__ import annotations

import re
from bisect import bisect_left

_LINE_ENDS = re.compile(r"\r\n?|\n")
_BOM = "\ufeff"


class EditError(ValueError):
    """A file that cannot be edited as intended; the text says why and quotes no content."""


class Source:
    """A UTF-8 file; raises EditError for any other. `text` has neither byte order mark nor \\r."""

    def __init__(self, data: bytes) -> None:
        try:
            self._raw = data.decode("utf-8")
        except UnicodeDecodeError:
            raise EditError("the file is not UTF-8") from None
        self._skipped = 1 if self._raw.startswith(_BOM) else 0
        self.text = _LINE_ENDS.sub("\n", self._raw[self._skipped :])
        pairs = [match.end() - self._skipped for match in re.finditer("\r\n", self._raw)]
        self._pairs = [end - number for number, end in enumerate(pairs, 1)]  # where the text is past a pair

    def replaced(self, start: int, end: int, new: str) -> bytes:
        """The file with `text[start:end]` replaced; line ends in `new` become those of the line before."""
        line_end = self._line_end(start)
        raw_start, raw_end = self._offset(start), self._offset(end)
        return (self._raw[:raw_start] + new.replace("\n", line_end) + self._raw[raw_end:]).encode("utf-8")

    def _offset(self, offset: int) -> int:
        return offset + self._skipped + bisect_left(self._pairs, offset + 1)

    def _line_end(self, start: int) -> str:
        before = self._raw[: self._offset(start)]
        last = max(before.rfind("\n"), before.rfind("\r"))
        found = _LINE_ENDS.search(before, max(last - 1, 0)) or _LINE_ENDS.search(self._raw)
        return found[0] if found else "\n"
