"""A process that asks /healthz of hubs again and again, over connections of its own, until its stdin ends.

Nothing of what the tests' own process is busy with is in what it measures. It prints each answer's status and seconds.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

from tests.waiting import DEADLINE

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LONGEST_ANSWER = DEADLINE
EVERY = 0.25


def ask(port: int) -> str:
    """The status of an answer, or what went wrong."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_ANSWER) as connection:
            connection.sendall(REQUEST)
            return connection.recv(4096).decode("ascii", "replace").partition("\r\n")[0].partition(" ")[2]
    except OSError as error:
        return type(error).__name__


def main() -> None:
    answers = []
    while not select.select([sys.stdin], [], [], EVERY)[0]:
        for port in map(int, sys.argv[1:]):
            before = time.perf_counter()
            status = ask(port)
            answers.append((status, time.perf_counter() - before))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
