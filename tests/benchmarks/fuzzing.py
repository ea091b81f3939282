"""How long one made-up document takes at most, and what is made to take long: twice as much, twice as long."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from random import Random

from tests.benchmarks.figure import Figure, main
from tests.fuzz.mutations import mutations
from tests.fuzz.targets import TARGETS

_WHOLE = 1_000_000  # bytes: a little less than a work package may have
_CASES = 20_000  # of each hundred thousand
_LONG: tuple[tuple[str, str, Callable[[int], bytes]], ...] = (
    ("work_package", "spaces in a record", lambda size: _package(b"- 2026-01-01T00:00:00Z " + b" " * size + b"lane=x")),
    ("work_package", "dashes in a record", lambda size: _package(b"- " + b" - " * (size // 3) + b"lane=done")),
    ("work_package", "records", lambda size: _package(b"- 2026-01-01T00:00:00Z - a - lane=done - x\n" * (size // 43))),
    ("work_package", "fences", lambda size: _package(b"lane=\n" + b"```\n~~~\n" * (size // 8))),
    ("work_package", "spaces in the frontmatter", lambda size: b"---\nlane: doing" + b" " * size + b"x\n---\n"),
    ("work_package", "fields", lambda size: b"---\n" + b"".join(b"k%d: v\n" % n for n in range(size // 12)) + b"---\n"),
    ("work_package", "empty lines", lambda size: b"\n" * size),
    ("work_package", "nested lists", lambda size: b"---\nlane: " + b"[" * size + b"\n---\n"),
    ("feature_files", "sections", lambda size: b"## WP01\nDepends on WP02\n" * (size // 24)),
    ("feature_files", "words on a line", lambda size: b"## WP01\n" + b"depends on " * (size // 11)),
    ("answers", "results", lambda size: b'{"results": [' + b'{"event_id": "x"},' * (size // 18) + b"{}]}"),
    ("answers", "nested lists", lambda size: b"[" * size),
    ("logs", "entries", lambda size: b"0 1 x\tcommit: y\n" * (size // 16)),
    ("terminal", "escape sequences", lambda size: b"\x1b" * size),
)


def run(options: argparse.Namespace) -> list[Figure]:
    targets = {target.name: target for target in TARGETS}
    slowest, where = 0.0, ""
    random = Random(1)
    for one in TARGETS:
        for document in mutations(one.documents, random, one.cases * _CASES // 100_000):
            seconds = _measured(one.run, document)
            if seconds > slowest:
                slowest, where = seconds, one.name
    figures = [Figure(f"slowest of {_CASES} made-up documents ({where})", slowest * 1e3, "ms", 50)]
    for name, what, make in _LONG:
        half, whole = (
            min(_measured(targets[name].run, make(size)) for _ in range(3)) for size in (_WHOLE // 2, _WHOLE)
        )
        figures.append(Figure(f"1 MB of {what} ({name})", whole * 1e3, "ms"))
        figures.append(Figure("  ratio", whole / half, "times", 3, "half of it"))
    return figures


def _measured(target: Callable[[bytes], None], document: bytes) -> float:
    start = time.process_time()  # of this process alone: other ones' load is not the parser's
    target(document)
    return time.process_time() - start


def _package(body: bytes) -> bytes:
    return b"---\nlane: doing\n---\n" + body + b"\n"


if __name__ == "__main__":
    main(run)
