"""Which project is which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from kittywatch.store import projects
from kittywatch.store.database import Database
from kittywatch.store.views import Views
from tests.store.stores import UUID

OTHER = "0b7f5d0c-9f3c-4a55-8d42-5f3f3f0d6a11"


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database.in_memory()) as made:
        yield made


def test_a_project_is_known_by_its_uuid_wherever_it_is(database: Database) -> None:
    here = projects.ensure(database.connection, UUID, slug="shop", place="/here/.git")
    assert projects.ensure(database.connection, UUID, slug="shop", place="/clone/.git") == here
    assert projects.ensure(database.connection, OTHER, slug="shop", place="/here/.git") != here


def test_without_an_identity_by_its_place_until_it_has_one(database: Database) -> None:
    connection = database.connection
    nameless = projects.ensure(connection, None, slug="shop", place="/here/.git")
    assert projects.ensure(connection, None, slug="shop", place="/there/.git") != nameless
    assert projects.ensure(connection, UUID, slug="shop", place="/here/.git") == nameless
    assert projects.find(connection, UUID, place="/moved/.git") == nameless


def test_finding_makes_nothing(database: Database) -> None:
    assert projects.find(database.connection, UUID, place="/here/.git") is None
    assert projects.find(database.connection, None, place="/here/.git") is None
    made = projects.ensure(database.connection, None, slug="shop", place="/here/.git")
    assert projects.find(database.connection, UUID, place="/here/.git") == made


def test_the_uuid_of_a_checkout_is_remembered(database: Database) -> None:
    connection = database.connection
    assert projects.remembered_uuid(connection, "/here/.git") is None
    nameless = projects.ensure(connection, None, slug="shop", place="/here/.git")
    Views(connection, nameless).save_checkout("/here/.git", "refs/heads/main", 0)
    assert projects.remembered_uuid(connection, "/here/.git") is None
    projects.ensure(connection, UUID, slug="shop", place="/here/.git")
    assert projects.remembered_uuid(connection, "/here/.git") == UUID
    other = projects.ensure(connection, OTHER, slug="shop", place="/here/.git")
    Views(connection, other).save_checkout("/here/.git", "refs/heads/main", 0)
    assert projects.remembered_uuid(connection, "/here/.git") == OTHER
