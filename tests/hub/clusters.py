"""A PostgreSQL cluster of the tests' own: a directory in /tmp, a free port, gone at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


def create_database(address: str, name: str) -> str:
    """Make a database; its URL."""
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{address}/{name}"
