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
from pathlib import Path

import psycopg

from tests.hub.hubs import must_have


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(found[0]) if found else shutil.which(name)


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a running cluster, without a database's name: `postgresql://tests@127.0.0.1:PORT`."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    must_have("PostgreSQL", initdb and pg_ctl)
    # Not in tmp_path: PostgreSQL refuses to run as root, and its user may not look into root's directories.
    directory = Path(tempfile.mkdtemp(prefix="kittywatch-postgresql-"))
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(directory, "postgres", "postgres")
    data = str(directory / "data")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={directory} -c max_connections=200"
    )

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd=directory, timeout=120)

    try:
        run(str(initdb), "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        run(str(pg_ctl), "-D", data, "-o", options, "-l", str(directory / "log"), "-w", "start")
        try:
            yield f"postgresql://tests@127.0.0.1:{port}"
        finally:
            run(str(pg_ctl), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(directory)


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
