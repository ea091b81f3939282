"""A process whose home can't take more, for tests: `python -m tests.store.limited FULL|READ-ONLY HOME`.

Prints what the emitter returned and warned, as JSON.
"""

from __future__ import annotations

import json
import logging  # noqa: F401  what a warning needs, before rights are given up
import os
import resource
import sys
from pathlib import Path

from tests.store import stores


def full(home: Path) -> None:
    """No file may grow past what the database has now and a little."""
    size = (home / "queue.db").stat().st_size if (home / "queue.db").exists() else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2048, resource.RLIM_INFINITY))


def read_only(home: Path) -> None:
    """Nothing in the home may be written, not even by root, who gives his rights up."""
    for path in [*home.glob("*"), home] if home.exists() else [home.parent]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:
        os.seteuid(65534)


if __name__ == "__main__":
    home = Path(sys.argv[2])
    {"full": full, "read-only": read_only}[sys.argv[1].lower()](home)
    warnings: list[str] = []
    target = stores.emitter(home, warnings.append)
    told = [stores.note(target, "x" * 80_000) for _ in range(3)]
    can_read = 0
    if home.exists():
        can_read = target.read(
            lambda connection, project: int(connection.execute("SELECT count(*) FROM events").fetchone()[0]), default=0
        )
    print(json.dumps({"told": told, "warnings": warnings, "read": can_read}))
