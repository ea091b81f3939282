"""A replay of a project's whole history, as a process of its own, beside what git takes to list the same changes.

On a fast machine git lists them in a few milliseconds, less than Python takes to start. So there is a second ratio:
to a bare Python that does nothing but read the contents of the same files through `git cat-file --batch`.
"""

from __future__ import annotations

import argparse
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.figure import Figure, main
from tests.benchmarks.processes import Command, interleaved
from tests.store import stores

_CORPORA = stores.ROOT.parent / "shared" / "corpus"
_LISTING = ["log", "--first-parent", "-m", "--raw", "-z", "--no-abbrev", "--no-renames", "--reverse", "main"]
_LISTING += ["--", "kitty-specs"]
_FLOOR = """
import subprocess, sys
git = subprocess.Popen(["git", "cat-file", "--batch"], stdin=sys.stdin, stdout=subprocess.PIPE)
while git.stdout.read(1 << 16):
    pass
sys.exit(git.wait())
"""


def run(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        name = _make(place / "repository", options.corpus)
        return _measure(place, name, options.runs)


def _measure(place: Path, name: str, runs: int) -> list[Figure]:
    root, home, blobs = place / "repository", place / "home", place / "blobs"
    environment = {"SPEC_KITTY_HOME": str(home)}
    kittywatch = [sys.executable, "-m", "kittywatch.cli.main"]
    environment["PYTHONPATH"] = str(stores.ROOT)
    blobs.write_text(_blobs(root))
    subprocess.run([*kittywatch, "-q", "-C", str(root), "init"], env={**os.environ, **environment}, check=True)

    def forget() -> None:
        shutil.rmtree(home, ignore_errors=True)

    measured = interleaved(
        {
            "replay": Command([*kittywatch, "emit", "replay", "main"], root, environment, prepare=forget),
            "again": Command([*kittywatch, "emit", "replay", "main"], root, environment),
            "git": Command(["git", *_LISTING], root),
            "floor": Command([sys.executable, "-c", _FLOOR], root, data=blobs),
        },
        runs,
    )
    events = stores.rows(home, "SELECT count(*) FROM events")[0][0]
    replay = measured["replay"]
    git, floor, again = measured["git"].median, measured["floor"].median, measured["again"].median
    return [
        Figure(f"replay of {name}, {events} events", replay.median * 1e3, "ms"),
        Figure("  the same again, telling nothing", again * 1e3, "ms"),
        Figure("  git log --first-parent -m --raw", git * 1e3, "ms"),
        Figure("  Python and git cat-file --batch", floor * 1e3, "ms"),
        Figure("  ratio", replay.median / git, "times", 3, "git log"),
        Figure("  ratio", replay.median / floor, "times", None, "Python and git cat-file"),
        Figure("  peak memory", replay.megabytes, "MB", 150),
    ]


def _make(root: Path, corpus: str | None) -> str:
    """A repository with a history to replay; returns what to call it."""
    found = [Path(corpus)] if corpus else sorted(_CORPORA.glob("spec-kitty-events.fast-export.xz"))
    if not found:
        stores.make_history(root, packages=99)
        return "a made history"
    data = found[0].read_bytes()
    stream = lzma.decompress(data) if found[0].suffix == ".xz" else data
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=root, input=stream, check=True)
    subprocess.run(["git", "reset", "-q", "--hard", "main"], cwd=root, check=True)
    return found[0].name.removesuffix(".xz").removesuffix(".fast-export")


def _blobs(root: Path) -> str:
    """The ids of all contents that the history's changes brought, one a line."""
    listed = subprocess.run(["git", *_LISTING], cwd=root, check=True, capture_output=True).stdout
    fields = [part.split() for part in listed.split(b"\0") if part.lstrip().startswith(b":")]
    return "".join(f"{field[3].decode()}\n" for field in fields if field[3].strip(b"0"))


if __name__ == "__main__":
    main(run)
