"""The hub's database, as the `hub …` commands open it; what a missing extra or a database says becomes ours."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec

import click

from kittywatch.hub.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Given = ParamSpec("Given")


def with_the_extra(command: Callable[Given, None]) -> Callable[Given, None]:
    """Import what the extra brings when the command runs; a lack of it, and what a database refuses, become ours."""

    @functools.wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            importlib.import_module("kittywatch.hub.serve")
            from sqlalchemy.exc import DatabaseError, DataError, IntegrityError
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("kittywatch"):
                raise
            raise MissingExtraError(error.name) from error
        try:
            command(*args, **kwargs)
        except (DataError, IntegrityError):
            raise  # what we sent was wrong: a bug
        except DatabaseError as error:
            raise ConfigurationError(
                f"the database cannot be used: {_first_line(error.orig)}",
                remedy="check --database, and that this user may read and write there",
            ) from error

    return run


def _first_line(error: BaseException | None) -> str:
    """First line of a driver's message; it names hosts and files, never a password."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip()


def database_option(command: Callable[Given, None]) -> Callable[Given, None]:
    return click.option(
        "--database",
        envvar="KITTYWATCH_HUB_DATABASE",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/NAME  [default: hub.db in ~/.spec-kitty]",
    )(command)


@contextmanager
def engine_of(database: str | None, *, checked: bool = True) -> Iterator[Engine]:
    from kittywatch.hub import migrations
    from kittywatch.hub.config import default_database
    from kittywatch.hub.database import is_postgresql, open_engine

    engine = open_engine(database or default_database())
    try:
        if checked and is_postgresql(engine):
            migrations.check(engine)
        elif checked:
            migrations.migrate(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def writing_to(database: str | None) -> Iterator[Connection]:
    from kittywatch.hub.database import writing

    with engine_of(database) as engine, writing(engine) as connection:
        yield connection


@contextmanager
def reading_from(database: str | None) -> Iterator[Connection]:
    from kittywatch.hub.database import reading

    with engine_of(database) as engine, reading(engine) as connection:
        yield connection
