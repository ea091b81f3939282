"""A lock between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.store.lock import locked
from tests.store import stores

_HOLDER = """
import sys
from pathlib import Path
from kittywatch.store.lock import locked
with locked(Path(sys.argv[1])) as mine:
    print("held" if mine else "no", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], cwd=stores.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_who_does_not_wait_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path) as mine:
        assert mine
        with locked(path, wait=False) as other:
            assert not other
    with locked(path, wait=False) as mine:
        assert mine
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_an_error_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        raise ZeroDivisionError
    with locked(tmp_path / "lock", wait=False) as mine:
        assert mine


def test_a_holder_that_is_killed_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with _holder(path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with locked(path, wait=False) as mine:
            assert not mine
        first.kill()
    with locked(path, wait=False) as mine:
        assert mine


def test_who_waits_gets_it_next(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), _holder(path) as second:
        assert second.stdout is not None
        assert second.stdin is not None
        assert second.poll() is None
        with locked(tmp_path / "another"):  # another file is another lock
            pass
        second.kill()
    with _holder(path) as third:
        assert third.stdout is not None
        assert third.stdout.readline() == b"held\n"
        third.kill()
