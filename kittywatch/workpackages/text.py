"""The bytes of a file as text, and the error of a file that can't be read."""

from __future__ import annotations

from kittywatch.startup.patterns import pattern

MAX_BYTES = 1 << 20
_LINE_ENDS = pattern(r"\r\n?")


class ContentError(ValueError):
    """A content that can't be read; `line` counts from 1 in the file, `reason` quotes no content."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


def text_of(data: bytes, most: int = MAX_BYTES) -> str:
    """A file's text without byte order mark, its line ends \\n; raises ContentError."""
    if len(data) > most:
        raise ContentError(1, f"the file is larger than {most >> 20} MiB ({len(data)} bytes)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContentError(line, f"the file is not UTF-8 (byte {error.start})") from None
    return _LINE_ENDS.sub("\n", text) if "\r" in text else text
