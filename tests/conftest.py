"""What holds for every test: which ones run, its own home, its own git configuration, no thread left behind."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import selection
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport
from tests.waiting import until

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]  # hooks

# A shared machine may be slow at any moment: how long an example takes, or its making, says nothing about the code.
settings.register_profile("kittywatch", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kittywatch")

_GIT_CONFIGURATION = """\
[user]
\tname = Test Author
\temail = author@example.invalid
[init]
\tdefaultBranch = main
"""


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout reads its options
def pytest_configure(config: pytest.Config) -> None:
    selection.choose(config)
    # Whoever runs the tests in a shell's background has their processes ignore what Ctrl-C sends.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before what -m selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selection.leave_out(config, items)
    selection.mark(items)


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: spare every collection of garbage to go through them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fail a test that leaves a thread running after everything it used was torn down."""
    before = set(threading.enumerate())
    yield

    def leaked() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread not in before]

    until(lambda: not leaked(), what=lambda: f"the test's threads to end: {leaked()}")


@pytest.fixture(autouse=True)
def own_home(no_leaked_threads: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME and SPEC_KITTY_HOME inside `tmp_path`, and a git that knows no other configuration; returns HOME."""
    home = tmp_path / "home"
    home.mkdir()
    configuration = home / ".gitconfig"
    configuration.write_text(_GIT_CONFIGURATION, encoding="utf-8")
    # All of them, not a list: GIT_DIR and GIT_INDEX_FILE, which git sets for a hook that runs the tests, would
    # point every command at that repository, and GIT_AUTHOR_* and GIT_CONFIG_* would outweigh the file above.
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SPEC_KITTY_HOME", str(home / ".spec-kitty"))
    return home
