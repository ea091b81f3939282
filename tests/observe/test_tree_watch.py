"""Watching directories: what is heard, and what takes its place where nothing can be."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from kittywatch.observe import tree_watch
from kittywatch.observe.tree_watch import TreeWatch, silent_file_system
from tests.waiting import until

PROBE = """
import sys
from pathlib import Path
from kittywatch.observe.tree_watch import TreeWatch
from tests.waiting import until
top, heard = Path(sys.argv[1]), []
watch = TreeWatch(lambda path, over: heard.append(path.name), lambda: None, print)
watch.watch(top, below=True)
for number in range(4):
    (top / f"later{number}").mkdir()
until(lambda: watch.polling or "later3" in heard, what="the directories")
watch.check()
(top / "later3" / "WP01.md").write_text("x")
until(lambda: "WP01.md" in heard, what="the file")
print("polling" if watch.polling else "watching")
watch.close()
"""


def _heard(path: Path) -> tuple[TreeWatch, list[tuple[str, bool]], list[str]]:
    heard: list[tuple[str, bool]] = []
    said: list[str] = []
    watch = TreeWatch(lambda path, over: heard.append((path.name, over)), lambda: said.append("lost"), said.append)
    watch.watch(path, below=True)
    return watch, heard, said


def test_closed_and_moved_files_are_over(tmp_path: Path) -> None:
    watch, heard, said = _heard(tmp_path)
    try:
        (tmp_path / "a").write_text("x")
        until(lambda: ("a", True) in heard, what="the closing")
        (tmp_path / "a").rename(tmp_path / "b")
        until(lambda: ("b", True) in heard, what="the move")
        with (tmp_path / "b").open("a") as file:
            file.write("y")
            file.flush()
            until(lambda: ("b", False) in heard, what="the write")
    finally:
        watch.close()
    assert said == []


def test_reading_is_not_heard(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    watch, heard, _ = _heard(tmp_path)
    try:
        (tmp_path / "a").read_text()
        (tmp_path / "b").write_text("x")
        until(lambda: ("b", True) in heard, what="the other file")
    finally:
        watch.close()
    assert "a" not in {name for name, _ in heard}


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        (0, "max_inotify_watches"),
        (1, "max_inotify_watches"),
        (3, "max_inotify_watches"),
        (0, "max_inotify_instances"),
    ],
)
def test_used_up_watches_are_made_up_for_by_polling(tmp_path: Path, limit: int, name: str) -> None:
    """A user namespace of its own has limits of its own; watchdog says nothing of most watches it doesn't get."""
    setting = f"/proc/sys/user/{name}"
    may = ["unshare", "-Ur", "sh", "-c", f"echo 10 > {setting}"]
    if subprocess.run(may, capture_output=True, check=False).returncode:
        pytest.skip("user namespaces can't be had here")
    for number in range(2):
        (tmp_path / f"first{number}").mkdir()
    program = f'echo {limit} > {setting}; exec "$@"'
    command = ["unshare", "-Ur", "sh", "-c", program, "sh", sys.executable, "-c", PROBE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "polling"
    assert "polling every 1 s instead" in done.stdout


def test_enough_watches_are_not_made_up_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "watching\n", done.stderr


@pytest.mark.parametrize(
    ("mounts", "kind"),
    [
        ("/dev/sda / ext4 rw 0 0\n", None),
        ("/dev/sda / ext4 rw 0 0\nserver:/x /PLACE nfs4 rw 0 0\n", "nfs4"),
        ("server:/x / nfs rw 0 0\n/dev/sdb /PLACE ext4 rw 0 0\n", None),
        ("x\n", None),
    ],
)
def test_network_file_systems_send_no_events(tmp_path: Path, mounts: str, kind: str | None) -> None:
    """The table of mounts is a file of its own here, because no network file system can be mounted in a test."""
    table = tmp_path / "mounts"
    table.write_text(mounts.replace("/PLACE", str(tmp_path)))
    assert silent_file_system(tmp_path / "deeper", table) == kind


def test_forgotten_directories_are_watched_anew(tmp_path: Path) -> None:
    directory = tmp_path / "specs"
    directory.mkdir()
    watch, heard, _ = _heard(directory)
    try:
        directory.rmdir()
        until(lambda: heard, what="the removal")
        watch.forget(directory)
        directory.mkdir()
        watch.watch(directory, below=True)
        (directory / "a").write_text("x")
        until(lambda: ("a", True) in heard, what="the file")
    finally:
        watch.close()


def test_a_directory_that_sends_no_events_is_polled_with_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has gone meanwhile is passed over. The kind is made up: no network can be mounted in a test."""
    local, gone, remote = (tmp_path / name for name in ("local", "gone", "remote"))
    for directory in (local, gone, remote):
        directory.mkdir()
    monkeypatch.setattr(tree_watch, "silent_file_system", lambda directory: "nfs4" if directory == remote else None)
    monkeypatch.setattr(tree_watch, "POLL_SECONDS", 0.05)
    watch, heard, said = _heard(local)
    try:
        watch.watch(gone, below=True)
        gone.rmdir()
        watch.watch(remote, below=True)
        assert watch.polling
        assert said == [f"{remote} is on nfs4, which sends no events; polling every 0.05 s instead"]
        (local / "a").write_text("x")
        (remote / "b").write_text("x")
        until(lambda: {"a", "b"} <= {name for name, _ in heard}, what="both files")
    finally:
        watch.close()


def test_only_an_overflow_of_the_queue_is_a_loss(tmp_path: Path) -> None:
    """watchdog says it in its log, where other things stand too."""
    watch, _, said = _heard(tmp_path)
    try:
        logging.getLogger("watchdog.observers").warning("something else")
        assert said == []
        logging.getLogger("watchdog.observers").warning("inotify event queue overflow")
        assert said == ["lost"]
    finally:
        watch.close()


def test_without_a_table_of_mounts_nothing_is_known_to_be_silent(tmp_path: Path) -> None:
    """As on a system that has no /proc."""
    assert silent_file_system(tmp_path, tmp_path / "none") is None


def test_what_watchdog_complains_of_is_not_said_to_people() -> None:
    """Events that come while it is being stopped: it logs errors, which Python prints if nobody handles them."""
    program = "import logging, kittywatch.observe.tree_watch\nlogging.getLogger('watchdog.observers').error('inactive')"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
