"""Documents changed at random, in the ways that break parsers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

_TOKENS = (
    b"---",
    b"\n---\n",
    b"lane: doing\n",
    b"- 2026-01-02T03:04:05Z - a - lane=done - x\n",
    b"```\n",
    b"~~~\n",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"!!python/object:os.system ",
    b"<<: ",
    b"\x00",
    b"\x1b[2J",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "\u202e\u2028\u0085\ufeff".encode(),
    b"\r",
    b"\t",
    b" " * 60,
    b"-" * 60,
    b"[" * 70,
    b"{" * 70,
    b"[" * 5000,
    b'{"a":' * 3000,
    b'"',
    b"'",
    b"null",
    b"1e999",
    b"-0",
    b"99999999999999999999",
    b"\\u0000",
    b"\\ud800",
    b"WP01",
    b"0000-00-00T00:00:00Z",
    b"9999-12-31T23:59:59-23:59",
)


def mutations(documents: Sequence[bytes], random: Random, count: int) -> Iterator[bytes]:
    """`count` documents, each one of the given ones after a few changes."""
    for _ in range(count):
        data = bytearray(random.choice(documents))
        for _ in range(random.choice((0, 1, 1, 2, 3, 8))):
            _change(data, random)
        yield bytes(data)


def _change(data: bytearray, random: Random) -> None:
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((0, 1, 4, 40)))
    kind = random.randrange(5)
    if kind == 0:
        data[start:end] = b""
    elif kind == 1:
        data[start:end] = random.choice(_TOKENS)
    elif kind == 2:
        data[start:start] = data[start:end] * random.choice((1, 2, 20))
    elif kind == 3:
        data[start:end] = random.randbytes(end - start)
    elif start < len(data):
        data[start] ^= 1 << random.randrange(8)
