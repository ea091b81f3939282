"""One transition under several ids: in whatever order machines deliver events and aliases, it is shown once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select
from websockets.sync.client import connect

from kittywatch.hub import accounts, board, charts, export, history, migrations, projections, sessions
from kittywatch.hub.board import Filter
from kittywatch.hub.database import open_engine, reading, writing
from kittywatch.hub.feed import Chunk, Stored
from kittywatch.hub.ingest import store
from kittywatch.hub.kinship import CYCLE, OTHER_KIND, Kinship, Relative
from kittywatch.hub.limits import Limits
from kittywatch.hub.parsing import open_batch
from kittywatch.hub.schema import PROJECTIONS, events, supersessions, work_packages
from kittywatch.hub.sessions import Login
from tests.hub.hubs import FEATURE, PROJECT, Hub, Machine, add_user, created, event, moved
from tests.selection import amounts
from tests.waiting import DEADLINE

PATH = ["planned", "doing", "for_review", "doing", "for_review", "done"]
KEY = (PROJECT, FEATURE, "WP01")


class Desk:
    """A team on a database, without a server: what is taken, and what is shown."""

    def __init__(self, database: str) -> None:
        self.engine: Engine = open_engine(database)
        migrations.migrate(self.engine)
        self.login: Login = self._new_team("cats")

    def _new_team(self, slug: str) -> Login:
        with writing(self.engine) as connection:
            team = accounts.add_team(connection, slug)
            user = add_user(connection, f"of-{slug}", team=team)
            return sessions.open_session(connection, user, kind="machine").login

    def other_team(self, slug: str) -> None:
        """Go on as another team, with nothing told yet."""
        self.login = self._new_team(slug)

    def take(self, batch: list[Any], aliases: list[Any] = []) -> list[str]:  # noqa: B006 - read only
        data = json.dumps({"events": batch, "aliases": aliases}).encode()
        with writing(self.engine) as connection:
            members = open_batch(data, team_slug="cats", limits=Limits())
            return [result.status for result in store(connection, self.login, members)]

    def shown(self) -> list[str]:
        """The ids that are exported, which have to be those of the timelines and of the activity."""
        team = self.login.team_id
        with reading(self.engine) as connection:
            exported = [json.loads(line)["event_id"] for line in export.lines(connection, team)]
            active = history.activity(connection, team, Filter(), limit=10_000)
            columns = (events.c.project, events.c.feature, events.c.wp_id)
            keys = connection.execute(select(*columns).where(events.c.team_id == team).distinct()).all()
            told = [one for key in keys for one in self._timeline(connection, (key[0], key[1], key[2]))]
        assert len(active) == len(told) == len(exported)
        assert {entry.position for entry in active} == {entry.position for entry in told}
        return exported

    def _timeline(self, connection: Connection, key: tuple[str, str, str]) -> Iterator[history.Entry]:
        """All pages of a work package's timeline."""
        older: str | None = None
        while older != "":
            page = history.timeline(connection, self.login.team_id, key, before=older or "")
            yield from page.entries
            older = page.older

    def standing(self, *, changed: bool = True) -> dict[str, list[tuple[Any, ...]]]:
        """The projections of the team, with or without when they changed."""
        found = {}
        with reading(self.engine) as connection:
            for table in PROJECTIONS:
                names = [c.name for c in table.c if c.name != "team_id" and (changed or c.name != "changed")]
                query = select(*(table.c[name] for name in names)).where(table.c.team_id == self.login.team_id)
                found[table.name] = sorted(tuple(row) for row in connection.execute(query))
        return found

    def looks(self) -> tuple[str, int, object]:
        """The lane of WP01, how often it moved, and the charts of its feature."""
        team = self.login.team_id
        with reading(self.engine) as connection:
            card = board.card(connection, team, KEY)
            drawn = charts.of_feature(connection, team, PROJECT, FEATURE, now=0.0)
            query = select(work_packages.c.transitions).where(work_packages.c.team_id == team)
            return card.lane if card else "", connection.execute(query).scalar_one(), drawn

    def rebuild(self) -> None:
        with writing(self.engine) as connection:
            projections.rebuild(connection, self.login.team_id)


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    desk = Desk(database)
    yield desk
    desk.engine.dispose()


def alias(of: Any, told: Any) -> dict[str, str]:
    """What says that the event `of` is the same transition as `told`."""
    return {"alias": of["event_id"], "event_id": told["event_id"]}


def twins(count: int = 5, *, wp_id: str = "WP01") -> list[tuple[Any, Any]]:
    """A round of lanes as one machine told it, and as another did, each under other ids."""
    pairs = []
    for number, (before, after) in enumerate(pairwise(PATH[: count + 1]), start=2):
        first = moved(wp_id, before, after, lamport=number, node_id="a" * 12)
        pairs.append((first, moved(wp_id, before, after, lamport=number + 3, node_id="b" * 12)))
    return pairs


def test_an_event_that_an_alias_names_is_never_shown(desk: Desk) -> None:
    ((told, other),) = twins(1)
    assert desk.take([created("WP01", lamport=1), told], [alias(other, told)]) == ["success"] * 3
    before = desk.standing()
    assert desk.take([other]) == ["duplicate"]
    assert desk.take([other], [alias(other, told)]) == ["duplicate", "duplicate"]
    assert other["event_id"] not in desk.shown()
    assert desk.standing() == before


def test_an_event_that_came_before_its_alias_is_as_if_it_had_never_come(desk: Desk) -> None:
    told = [created("WP01", lamport=1), *(one for one, _ in twins(2))]
    other = moved("WP01", "planned", "doing", lamport=9, node_id="b" * 12)
    assert desk.take([*told, other]) == ["success"] * 4
    assert desk.looks()[0] == "doing"
    assert desk.take([], [alias(other, told[1])]) == ["success"]
    assert desk.shown() == [one["event_id"] for one in told]
    before, looks = desk.standing(), desk.looks()
    assert looks[0] == "for_review"
    desk.rebuild()
    assert (desk.standing(), desk.looks()) == (before, looks)
    expected = desk.standing(changed=False)
    desk.other_team("dogs")
    desk.take(told)
    assert (desk.standing(changed=False), desk.looks()) == (expected, looks)


def test_a_page_hears_once_that_a_card_is_another(desk: Desk) -> None:
    told, other = twins(1)[0]
    desk.take([created("WP01", lamport=1), told, other])

    def news(after: int) -> tuple[int, list[str], list[int] | None]:
        with reading(desk.engine) as connection:
            found = board.changes(connection, desk.login.team_id, Filter(), after=after)
            assert found is not None
            withdrawn = history.withdrawn(connection, desk.login.team_id, after=after)
            return found.position, [card.wp_id for card in found.cards], withdrawn

    before = news(0)[0]
    desk.take([], [alias(other, told)])
    position, cards, withdrawn = news(before)
    assert (cards, withdrawn) == (["WP01"], [before])
    assert news(position) == (position, [], [])
    desk.take([moved("WP01", "doing", "for_review", lamport=9)])
    assert news(position)[1:] == (["WP01"], [])


def test_a_chain_of_aliases(desk: Desk) -> None:
    """Over an id that never came, too; and that another event now shows it is no news of one that was hidden before."""
    last, middle, first = (moved("WP01", "planned", "doing", lamport=n, node_id=f"{n:012}") for n in (4, 3, 2))
    desk.take([], [alias(last, middle)])
    desk.take([], [alias(middle, first)])
    assert desk.take([first]) == ["success"]
    assert desk.take([last]) == ["duplicate"]
    root = moved("WP01", "planned", "doing", lamport=1)
    assert desk.take([root]) == ["success"]
    desk.take([], [alias(first, root)])
    assert desk.shown() == [root["event_id"]]
    with reading(desk.engine) as connection:
        query = select(supersessions.c.event_id).where(supersessions.c.team_id == desk.login.team_id)
        assert list(connection.execute(query).scalars()) == [first["event_id"]]


def test_a_rebuild_decides_anew_what_is_shown(desk: Desk) -> None:
    told, other = twins(1)[0]
    desk.take([created("WP01", lamport=1), told, other], [alias(other, told)])
    before = desk.standing(changed=False)
    with writing(desk.engine) as connection:
        connection.execute(events.update().values(superseded_by=None))
    assert other["event_id"] in desk.shown()
    desk.rebuild()
    assert other["event_id"] not in desk.shown()
    assert desk.standing(changed=False) == before


def test_an_alias_of_an_event_that_never_came_hides_nothing(desk: Desk) -> None:
    """What is the only word of a transition is shown, until the event that the alias names is there."""
    ((told, other),) = twins(1)
    assert desk.take([], [alias(other, told)]) == ["success"]
    assert desk.take([other]) == ["success"]
    assert desk.shown() == [other["event_id"]]
    assert desk.take([told]) == ["success"]
    assert desk.shown() == [told["event_id"]]


def test_features_and_projects_forget_what_is_superseded(desk: Desk) -> None:
    def completed(at: str, lamport: int, slug: str) -> Any:
        payload = {"feature_slug": FEATURE, "total_wps": 1, "completed_at": at, "total_duration": None}
        return event("FeatureCompleted", payload, lamport=lamport, project_slug=slug)

    told, other = completed("2026-03-01T00:00:00Z", 3, "purr"), completed("2026-03-02T00:00:00Z", 4, "meow")
    desk.take([created("WP01", lamport=1), told])
    before = desk.standing(changed=False)
    assert desk.take([other]) == ["success"]
    assert desk.standing(changed=False) != before
    desk.take([], [alias(other, told)])
    assert desk.standing(changed=False) == before


def test_what_is_refused(desk: Desk) -> None:
    told, other = twins(1)[0]
    elsewhere = moved("WP02", "planned", "doing", lamport=2)
    abroad = moved("WP01", "planned", "doing", lamport=2, project_uuid="0c5d7f5e-8a55-4f0b-9a52-2f1f6a8b1c3d")
    beginning = created("WP01", lamport=1)
    desk.take([told, other, elsewhere, abroad, beginning])
    before = desk.standing()
    for strange in (elsewhere, abroad, beginning):
        assert desk.take([], [alias(strange, told)]) == ["rejected"]
        assert desk.take([], [alias(told, strange)]) == ["rejected"]
    assert (
        desk.take([], [alias(told, told), {"alias": "x"}, 7, {"alias": "", "event_id": told["event_id"]}])
        == ["rejected"] * 4
    )
    assert desk.standing() == before
    assert desk.take([], [alias(other, told), alias(told, other), alias(other, told)]) == [
        "success",
        "rejected",
        "duplicate",
    ]
    assert set(desk.shown()) == {one["event_id"] for one in (beginning, told, elsewhere, abroad)}


def test_an_alias_that_turns_out_to_be_of_another_work_package_is_dropped(desk: Desk) -> None:
    """Told before either event is known; then it joins what can't be one, and hides nothing."""
    told, other = twins(1)[0]
    strange = moved("WP02", "planned", "doing", lamport=2)
    desk.take([], [alias(strange, told), alias(strange, other)])
    assert sorted(desk.take([told, other])) == ["duplicate", "success"]
    assert len(desk.shown()) == 1
    assert desk.take([strange]) == ["success"]
    assert set(desk.shown()) == {told["event_id"], other["event_id"], strange["event_id"]}
    before = desk.standing()
    desk.rebuild()
    assert desk.standing() == before


def test_teams_see_nothing_of_each_others_aliases(desk: Desk) -> None:
    told, other = twins(1)[0]
    desk.take([], [alias(other, told)])
    desk.other_team("dogs")
    assert desk.take([told, other]) == ["success", "success"]
    assert len(desk.shown()) == 2


def test_a_database_from_before_has_its_events_and_takes_aliases(desk: Desk) -> None:
    told, other = twins(1)[0]
    desk.take([created("WP01", lamport=1), told, other])
    before = desk.standing()
    with writing(desk.engine) as connection:  # as the version before left it
        for change in (
            "DROP TABLE aliases",
            "DROP TABLE supersessions",
            "DROP TABLE renames",
            "DROP TABLE moves",
            "ALTER TABLE events DROP COLUMN superseded_by",
            "ALTER TABLE work_packages DROP COLUMN category",
            "ALTER TABLE work_packages DROP COLUMN released",
            "ALTER TABLE work_packages DROP COLUMN place",
            "DROP INDEX work_packages_by_id",
            "ALTER TABLE work_packages DROP COLUMN source",
            "DELETE FROM schema_versions WHERE name <> 'first tables'",
        ):
            connection.exec_driver_sql(change)
    assert migrations.migrate(desk.engine) == [name for name, _ in migrations.MIGRATIONS[1:]]
    assert desk.standing() == before
    desk.take([], [alias(other, told)])
    assert len(desk.shown()) == 2


STORY = [created("WP01", lamport=1), created("WP02", lamport=1, needs=["WP01"])]
PAIRS = [*twins(5), *twins(3, wp_id="WP02")]
# A third machine saw an edit as well: its event and the first machine's are of one commit, which each has an alias of.
THIRD = moved("WP01", "planned", "doing", lamport=9, node_id="c" * 12)


@amounts("examples", sample=4, most=25)
def test_any_order_on_one_database(shared: Callable[[], Desk], examples: int) -> None:
    """Each machine delivers its own events and aliases in its order, cut and mixed at random; some of it twice."""

    @settings(max_examples=examples)
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        _any_order(data, shared())

    run()


def _any_order(data: st.DataObject, desk: Desk) -> None:
    first: list[Any] = [("event", told) for told, _ in PAIRS] + [("alias", alias(o, t)) for t, o in PAIRS]
    second: list[Any] = [("event", one) for one in STORY] + [("event", other) for _, other in PAIRS]
    third: list[Any] = [("event", THIRD), ("alias", alias(PAIRS[0][1], THIRD))]
    arriving = data.draw(st.permutations([*first, *second, *third]))
    arriving += data.draw(st.lists(st.sampled_from(arriving), max_size=8))
    while arriving:
        size = data.draw(st.integers(1, 8))
        some, arriving = arriving[:size], arriving[size:]
        desk.take([one for kind, one in some if kind == "event"], [one for kind, one in some if kind == "alias"])
    least = min(PAIRS[0][0]["event_id"], THIRD["event_id"])
    expected = {one["event_id"] for one in STORY} | {told["event_id"] for told, _ in PAIRS[1:]} | {least}
    assert set(desk.shown()) == expected
    before = desk.standing()
    desk.rebuild()
    assert desk.standing() == before
    stated = desk.standing(changed=False)
    everything = [*STORY, THIRD, *(told for told, _ in PAIRS)]
    desk.other_team(f"as-if-{desk.login.team_slug}")
    desk.take([one for one in everything if one["event_id"] in expected])
    assert desk.standing(changed=False) == stated


@pytest.fixture
def shared(desk: Desk) -> Callable[[], Desk]:
    """A database for all examples of a property, each with a team of its own."""
    numbers = iter(range(10_000))

    def fresh() -> Desk:
        desk.other_team(f"team-{next(numbers)}")
        return desk

    return fresh


IDS = [f"01ARZ3NDEKTSV4RRFFQ69G5F{n:02d}" for n in range(8)]


@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), max_size=12), st.sets(st.sampled_from(IDS)))
def test_one_event_of_a_family_is_shown_and_no_order_of_aliases_decides_which(
    offered: list[tuple[str, str]], come: set[str]
) -> None:
    kinship = Kinship()
    for one, other in offered:
        if not kinship.objection(one, other):
            kinship.add(one, other)
    kind = ("WPStatusChanged", *KEY)
    kinship.events = {one: Relative(position=1, kind=kind, superseded_by=None) for one in come}
    accepted = [(one, other) for one, others in kinship.leads.items() for other in others]
    again = Kinship(events=kinship.events)
    for one, other in random.Random(0).sample(accepted, len(accepted)):
        assert not again.objection(one, other)
        again.add(one, other)
    for one in IDS:
        family = kinship.family(one)
        assert again.family(one) == family
        shown = kinship.shown(family)
        assert shown == again.shown(family)
        assert (shown is None) == (not family & come)
        if shown is not None:
            assert not any(kinship.has(shown, other) for other in family & come)


def test_objections() -> None:
    kinship = Kinship()
    kinship.add("a", "b")
    kinship.add("b", "c")
    assert kinship.objection("c", "a") == CYCLE
    assert kinship.objection("a", "a") == CYCLE
    assert kinship.objection("a", "c") == ""
    kinship.events = {
        one: Relative(position=1, kind=("WPStatusChanged", PROJECT, FEATURE, wp_id), superseded_by=None)
        for one, wp_id in (("a", "WP01"), ("d", "WP02"))
    }
    assert kinship.objection("d", "c") == OTHER_KIND


def test_the_protocol_says_what_the_hub_can(hub: Hub, machine: Machine, foreign_machine: Machine) -> None:
    with Machine(hub.url) as nobody:
        said = nobody.http.get("/api/v1/").json()
    assert said["server"] == "kittywatch-hub"
    assert "aliases" in said["features"]
    told, other = twins(1)[0]
    first = machine.send([created("WP01", lamport=1), told]).json()
    assert "aliases" not in first
    body = {"events": [other], "aliases": [alias(other, told), alias(told, told)]}
    answer = machine.http.post("/api/v1/events/batch/", json=body, headers=machine.headers).json()
    assert [result["status"] for result in answer["results"]] == ["duplicate"]
    assert [(one["alias"], one["status"]) for one in answer["aliases"]] == [
        (other["event_id"], "success"),
        (told["event_id"], "rejected"),
    ]
    answer = foreign_machine.http.post("/api/v1/events/batch/", json=body, headers=foreign_machine.headers).json()
    assert [result["status"] for result in answer["results"]] == ["success"]


def test_a_machine_reads_the_events_that_are_shown(hub: Hub, machine: Machine, foreign_machine: Machine) -> None:
    pairs = twins(5)
    told = [one for one, _ in pairs]
    aliases = [alias(other, one) for one, other in pairs]
    body = {"events": [created("WP02", lamport=1), *told, *(other for _, other in pairs)], "aliases": aliases}
    machine.http.post("/api/v1/events/batch/", json=body, headers=machine.headers)

    def read(reader: Machine, **wanted: Any) -> Any:
        return reader.http.get("/api/v1/events/", params=wanted, headers=reader.headers).json()

    found: list[str] = []
    answer: Any = {"cursor": "0", "at_end": False}
    while not answer["at_end"]:
        answer = read(machine, after=answer["cursor"], limit=2, project=PROJECT, feature=FEATURE, wp_id="WP01")
        found += [one["event_id"] for one in answer["events"]]
    assert found == [one["event_id"] for one in told]
    assert read(machine, after=answer["cursor"])["events"] == []
    assert [one["event_type"] for one in read(machine, type="WPCreated")["events"]] == ["WPCreated"]
    assert read(foreign_machine)["events"] == []
    assert machine.http.get("/api/v1/events/", params={"after": "-1"}, headers=machine.headers).status_code == 400


@contextmanager
def _listening(hub: Hub, machine: Machine) -> Iterator[Any]:
    headers = {"Authorization": f"Bearer {machine.ws_token()}"}
    url = hub.url.replace("http", "ws", 1) + "/ws/v1/events/"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        yield socket


def test_others_hear_of_a_transition_once(hub: Hub, machine: Machine, other_machine: Machine) -> None:
    told, other = twins(1)[0]
    after = moved("WP01", "doing", "for_review", lamport=9)
    with _listening(hub, other_machine) as socket:
        assert json.loads(socket.recv(timeout=DEADLINE))["type"] == "snapshot"
        machine.http.post(
            "/api/v1/events/batch/", json={"events": [told], "aliases": [alias(other, told)]}, headers=machine.headers
        )
        machine.send([other])
        machine.send([after])
        heard: list[str] = []
        while len(heard) < 2:
            message = json.loads(socket.recv(timeout=DEADLINE))
            heard += [message["event"]["event_id"]] if message["type"] == "event" else []
    assert heard == [told["event_id"], after["event_id"]]


def test_that_an_event_is_shown_no_more_is_a_message_to_nobody() -> None:
    told = Stored(position=1, text='{"type":"event"}', session_id="a")
    chunk = Chunk([told, Stored(position=2, text="", session_id="")])
    assert chunk.position == 2
    assert chunk.texts_for("b") == [told.text]
    assert chunk.frames_for("b") == Chunk([told]).frames_for("b")
    assert chunk.frames_for("a") == b""
    assert Chunk([Stored(position=2, text="", session_id="")])


def test_two_replicas_agree(start_hub: Callable[..., Hub], postgresql_database: str) -> None:
    """Events and aliases reach two replicas at once, event by event, in any order."""
    hubs = [start_hub(postgresql_database), start_hub(postgresql_database, new=False)]
    access = hubs[0].access_token(hubs[0].open_login("mira"))
    arriving: list[Any] = [{"events": [one]} for pair in PAIRS for one in pair] + [{"events": [one]} for one in STORY]
    arriving += [{"events": [], "aliases": [alias(other, told)]} for told, other in PAIRS]
    random.Random(7).shuffle(arriving)

    async def deliver() -> None:
        async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as http:

            async def send(number: int, body: Any) -> None:
                url = f"{hubs[number % 2].url}/api/v1/events/batch/"
                answer = await http.post(url, json=body, headers={"Authorization": f"Bearer {access}"})
                assert answer.status_code == 200, answer.text

            await asyncio.gather(*(send(number, body) for number, body in enumerate(arriving)))

    asyncio.run(deliver())
    engine = open_engine(postgresql_database)
    try:
        with reading(engine) as connection:
            team = accounts.team_named(connection, "cats").id
            exported = {json.loads(line)["event_id"] for line in export.lines(connection, team)}
            before = [sorted(tuple(row) for row in connection.execute(select(table))) for table in PROJECTIONS]
            places = list(connection.execute(select(events.c.position)).scalars())
            places += connection.execute(select(supersessions.c.position)).scalars()
        assert exported == {one["event_id"] for one in STORY} | {told["event_id"] for told, _ in PAIRS}
        assert len(places) == len(set(places))
        with writing(engine) as connection:
            projections.rebuild(connection, team)
        with reading(engine) as connection:
            assert before == [sorted(tuple(row) for row in connection.execute(select(table))) for table in PROJECTIONS]
    finally:
        engine.dispose()
