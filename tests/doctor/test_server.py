"""What is found on the way to a server: settings, login, proxy, TLS, dead letters. Real hubs, real faults."""

from __future__ import annotations

import datetime
import functools
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from kittywatch.events import random_id
from kittywatch.store import delivery, destinations
from kittywatch.store.store import Store
from kittywatch.sync.credentials import CredentialsFile
from tests.doctor.conftest import Clinic
from tests.hub.hubs import Hub, Machine, populate
from tests.store import stores
from tests.sync import delivering


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    directory = tmp_path_factory.mktemp("hub")
    yield from _served(directory)


def _served(directory: Path, *arguments: str) -> Iterator[Hub]:
    database = f"sqlite:///{directory / 'hub.db'}"
    populate(database, teams={"cats": ["mira"]})
    hub = Hub(database=database, log=directory / "hub.log", arguments=arguments).start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=[30, 3])
def secure_hub(tmp_path: Path, authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A hub with TLS whose certificate ends in so many days."""
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=request.param)
    certificate = authority.issue_cert("127.0.0.1", not_after=ends)
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    (tmp_path / "served").mkdir()
    options = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    yield from _served(tmp_path / "served", *options)


def settings(clinic: Clinic, text: str) -> None:
    (clinic.home / "config.toml").write_text(text, "utf-8")


def store(clinic: Clinic) -> Store:
    return Store(clinic.home, node_id="0" * 12, warn=lambda text: None)


def log_in(clinic: Clinic, hub: Hub, *, url: str = "") -> None:
    delivering.log_in(clinic.home, hub, url=url)


def test_a_login_that_is_good(clinic: Clinic, hub: Hub) -> None:
    log_in(clinic, hub)
    assert clinic.found() == []


def test_a_token_that_the_server_refuses(clinic: Clinic, hub: Hub) -> None:
    delivering.pretend_login(clinic.home, hub.url)
    finding = clinic.only("server", "the login at")
    assert "auth login" in finding["remedy"]
    assert "secret" not in str(finding)


def test_nobody_logged_in(clinic: Clinic, hub: Hub) -> None:
    """Only where there is a server to log in at."""
    settings(clinic, f"[sync]\nserver_url = '{hub.url}'\n")
    clinic.not_mended("server", "nobody is logged in")


def test_another_server_than_the_settings(clinic: Clinic, hub: Hub) -> None:
    log_in(clinic, hub)
    settings(clinic, "[sync]\nserver_url = 'https://hub.invalid'\n")
    clinic.not_mended("server", "names another server")


def test_credentials_that_cannot_be_read(clinic: Clinic) -> None:
    (clinic.home / "credentials").write_text('[tokens\naccess = "secret"', "utf-8")
    (clinic.home / "credentials").chmod(0o600)
    finding = clinic.not_mended("server", "can't be read as TOML")
    assert "secret" not in str(finding)


def test_a_server_that_is_not_there(clinic: Clinic) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        delivering.pretend_login(clinic.home, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        clinic.not_mended("server", "can't be reached")


def test_what_answers_is_no_server_of_ours(clinic: Clinic, hub: Hub) -> None:
    """There is a server, but not of the protocol."""
    delivering.pretend_login(clinic.home, f"{hub.url}/nothing")
    clinic.not_mended("server", "is not the protocol's")


def test_tls(clinic: Clinic, secure_hub: Hub, authority: trustme.CA, request: pytest.FixtureRequest) -> None:
    """An authority that nobody trusts; trusted then, a certificate that ends soon is told of before it does."""
    log_in(clinic, secure_hub)
    finding = clinic.not_mended("server", "has a certificate that isn't trusted")
    assert "ca_file" in finding["remedy"]
    authority.cert_pem.write_to_path(clinic.home / "authority.pem")
    settings(clinic, "[sync]\nca_file = 'authority.pem'\n")
    if request.node.callspec.params["secure_hub"] == 30:
        assert clinic.found() == []
    else:
        clinic.not_mended("server", "ends on")


@pytest.mark.parametrize(
    ("proxy", "part"),
    [("http://127.0.0.1:{port}", "can't be reached"), ("ftp://proxy", "is not the address"), ("http://:x", "is not")],
)
def test_proxies(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, proxy: str, part: str) -> None:
    """It is the proxy that is named, not the server behind it; and nothing of a password in its address."""
    delivering.pretend_login(clinic.home, "https://hub.invalid")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        stated = proxy.format(port=nobody.getsockname()[1]).replace("//", "//user:secret@")
        monkeypatch.setenv("HTTPS_PROXY", stated)
        finding = clinic.not_mended("proxy", part)
    assert "HTTPS_PROXY" in finding["finding"]
    assert "secret" not in str(finding)
    monkeypatch.setenv("NO_PROXY", "hub.invalid")
    assert [one["topic"] for one in clinic.found()] == ["server"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[sync", "is not TOML"),
        ("sync = 1", "sync is no table"),
        ("[sync]\nmax_queue_size = 'x'", "max_queue_size is not a whole number"),
        ("[sync]\ninterval_seconds = true", "interval_seconds is not a number"),
        ("[sync]\nca_file = 'nowhere.pem'", "certificates can't be read"),
    ],
)
def test_settings_that_make_no_sense(clinic: Clinic, text: str, part: str) -> None:
    settings(clinic, text)
    clinic.not_mended("settings", part)


def test_an_address_in_the_clear(clinic: Clinic) -> None:
    settings(clinic, "[sync]\nserver_url = 'http://hub.example.org'\n")
    assert "in the clear" in clinic.found()[0]["finding"]


def test_dead_letters(clinic: Clinic, hub: Hub) -> None:
    one = store(clinic)
    event_id = clinic.events()[0]["event_id"]
    for hour in range(delivery.MAX_REFUSALS):
        now = time.time() + hour * 7300
        one.transact(functools.partial(delivery.refused, reasons={event_id: "no"}, now=now))
    one.close()
    assert "queue retry --all" in clinic.not_mended("queue", "dead letters")["remedy"]


def test_what_a_server_refused(clinic: Clinic, hub: Hub) -> None:
    one = store(clinic)
    event_id = clinic.events()[0]["event_id"]
    one.transact(lambda connection: delivery.refused(connection, {event_id: "no"}))
    one.close()
    assert "queue retry --all" in clinic.not_mended("queue", "refused 1 of the events")["remedy"]


def test_what_the_last_delivery_noted(clinic: Clinic, hub: Hub) -> None:
    log_in(clinic, hub)
    one = store(clinic)
    note = {"kind": "network", "said": "it broke", "remedy": "wait"}
    one.transact(lambda connection: delivery.remember(connection, failure=note))
    clinic.not_mended("delivery", "it broke")
    one.transact(lambda connection: delivery.remember(connection, failure=None, forbidden={"shop": "not yours"}))
    one.close()
    clinic.not_mended("delivery", "doesn't take shop: not yours")


def test_a_transition_that_the_hub_shows_twice(clinic: Clinic, tmp_path: Path) -> None:
    """Told here, and by another machine under an alias that the hub doesn't know, has lost, or won't take."""
    (tmp_path / "own").mkdir()
    for hub in _served(tmp_path / "own"):
        log_in(clinic, hub)
        clinic.run("sync", "now")
        event = clinic.events()[-1]
        other = random_id()
        with Machine(hub.url, hub.access_token(hub.open_login("mira"))) as machine:
            assert machine.statuses([event | {"event_id": other}]) == ["success"]
        assert clinic.found() == []
        stores.add_alias(clinic.home, event["event_id"], other)
        stores.execute(clinic.home, "UPDATE aliases SET refused_at = 1, reason = 'a cycle'")
        assert "kittywatch explain" in clinic.not_mended("aliases", "shows 1 transition twice")["remedy"]
        for stands in ("delivered_at = NULL", "delivered_at = 1"):
            stores.execute(clinic.home, f"UPDATE aliases SET refused_at = NULL, {stands}")
            clinic.only("aliases", "shows 1 transition twice")
        assert clinic.mended("aliases", "shows 1 transition twice") == "told it so: 1 transition"


def test_an_old_queue_of_a_login(clinic: Clinic, hub: Hub) -> None:
    log_in(clinic, hub)
    one = store(clinic)
    one.transact(lambda connection: destinations.set_present(connection, hub.url, "cats"))
    one.transact(lambda connection: connection.execute("UPDATE events SET told_at = told_at - 200000"))
    one.close()
    assert not clinic.only("queue", "the oldest event")["fixable"]
    assert CredentialsFile(clinic.home).read() is not None
