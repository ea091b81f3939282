"""A PostgreSQL cluster of the tests' own: a directory in /tmp, a free port, gone at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.hub.hubs import must_have


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(found[0]) if found else shutil.which(name)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster in a directory of its own; `address` has no database's name: `postgresql://tests@127.0.0.1:PORT`."""

    directory: Path
    port: int

    @property
    def address(self) -> str:
        return f"postgresql://tests@127.0.0.1:{self.port}"

    def make(self) -> None:
        data = str(self.directory / "data")
        self._run("initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.directory}"
        data, log = str(self.directory / "data"), str(self.directory / "log")
        self._run("pg_ctl", "-D", data, "-o", f"{options} -c max_connections=200", "-l", log, "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.directory / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, name: str, *arguments: str) -> None:
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        command = [*as_user, str(_program(name)), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.directory, timeout=120)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster that runs, gone at the end."""
    must_have("PostgreSQL", _program("initdb") and _program("pg_ctl"))
    # Not in tmp_path: PostgreSQL refuses to run as root, and its user may not look into root's directories.
    directory = Path(tempfile.mkdtemp(prefix="kittywatch-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Cluster(directory=directory, port=port)
    try:
        made.make()
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(directory)


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a running cluster."""
    with running_cluster() as made:
        yield made.address


@contextmanager
def frozen(address: str) -> Iterator[None]:
    """Stop every process of a cluster, as a hung disk would; the kernel goes on acknowledging what is sent to them."""
    with psycopg.connect(f"{address}/postgres") as connection:
        directory = connection.execute("SHOW data_directory").fetchone()
    assert directory is not None
    server = int(Path(directory[0], "postmaster.pid").read_text(encoding="utf-8").split()[0])
    stopped: list[int] = []
    try:
        _stop(server, stopped)
        while new := [child for child in _children(server) if child not in stopped]:
            for child in new:
                _stop(child, stopped)
        yield
    finally:
        for process in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def _stop(process: int, stopped: list[int]) -> None:
    stopped.append(process)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGSTOP)


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            found += [int(stat.parent.name)] if int(fields[1]) == parent else []
    return found


def create_database(address: str, name: str) -> str:
    """Make a database; its URL."""
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{address}/{name}"
