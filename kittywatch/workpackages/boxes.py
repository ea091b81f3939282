"""The boxes of subtasks in `tasks.md`: `- [ ] T001 …`."""

from __future__ import annotations

import re
from collections.abc import Collection

_BOX = re.compile(rb"^[ \t]*[-*+][ \t]+\[([ xX])\][ \t]+(?:\*\*)?(T[0-9]{3,})\b", re.MULTILINE)


def mark(data: bytes, ids: Collection[str], *, done: bool) -> tuple[bytes, set[str]]:
    """The list with the boxes of some subtasks ticked or not, and the subtasks that it has no box for."""
    wanted = {one.encode() for one in ids}
    found: set[bytes] = set()
    out = bytearray(data)
    for box in _BOX.finditer(data):
        if box[2] in wanted:
            found.add(box[2])
            if (box[1] != b" ") != done:
                out[box.start(1) : box.end(1)] = b"x" if done else b" "
    return bytes(out), {one.decode() for one in wanted - found}
