"""queue.db: whole, in a rollback journal, of a version that this program knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kittywatch.doctor.finding import Examination, Finding
from kittywatch.store import clock
from kittywatch.store.condition import JOURNAL_MODES, condition, is_sound, leave_wal
from kittywatch.store.database import NAME
from kittywatch.store.salvage import finish_salvage, salvage


def check(examination: Examination) -> Iterator[Finding]:
    home = examination.home
    path = home / NAME
    if path.with_name(f"{NAME}.rebuilt").exists() and not path.exists():
        yield Finding(
            f"{path} was being mended when the machine or its process stopped",
            "run `kittywatch doctor --fix`, or any command",
            lambda: _finish(path),
        )
        return
    if not is_sound(home):
        yield Finding(
            f"{path} is damaged",
            "run `kittywatch doctor --fix`; the damaged file is kept",
            lambda: salvage(path, clock.read_copy(home / "clock.json")),
        )
        return
    found = condition(home)
    if found is None:
        return
    if found.newer:
        yield Finding(f"{path} was written by a newer kittywatch", "install the newer kittywatch again")
    if found.journal_mode not in JOURNAL_MODES:
        yield Finding(
            f"{path} has the journal mode {found.journal_mode}; older SQLite can damage a database in WAL mode",
            "end what holds it open, then run `kittywatch doctor --fix`",
            lambda: _leave_wal(home),
        )


def _finish(path: Path) -> str:
    finish_salvage(path)
    return "the mended database is in its place"


def _leave_wal(home: Path) -> str:
    leave_wal(home)
    return "journal mode set back to truncate"
