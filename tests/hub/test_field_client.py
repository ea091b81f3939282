"""A real client of the field, spec-kitty-cli 2.1.3: it logs in, delivers what it queued, and the cards stand there."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trustme

from kittywatch.events import from_json
from kittywatch.hub import accounts, export
from kittywatch.hub.database import open_engine, reading
from tests.hub.hubs import PASSWORD, Hub, must_have

pytestmark = pytest.mark.long  # a program of others

_RELEASE = "spec-kitty-cli==2.1.3"
# What its own commands call when somebody works with it.
_WORK = """
from specify_cli.sync import events as told
told.emit_feature_created("001-purr", "001", "main", 2)
told.emit_wp_created("WP01", "Purr loudly", "001-purr")
told.emit_wp_created("WP02", "Nap", "001-purr", dependencies=["WP01"])
told.emit_wp_status_changed("WP01", "planned", "claimed", actor="claude", feature_slug="001-purr")
told.emit_wp_status_changed("WP01", "claimed", "in_progress", actor="claude", feature_slug="001-purr",
                            policy_metadata={"agent_family": "claude"})
told.emit_wp_status_changed("WP01", "in_progress", "for_review", actor="claude", feature_slug="001-purr")
told.emit_wp_assigned("WP02", "codex", "implementation")
told.emit_history_added("WP01", "note", "half way", "claude")
told.emit_error_logged("runtime", "out of yarn", wp_id="WP02")
"""


@pytest.fixture(scope="session")
def field_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with its programs: KITTYWATCH_FIELD_CLIENT names its venv, else one is made from the index."""
    given = os.environ.get("KITTYWATCH_FIELD_CLIENT")
    venv = Path(given) if given else tmp_path_factory.mktemp("field") / "venv"
    if not given:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
        install = [str(venv / "bin" / "pip"), "install", "-q", _RELEASE, "click"]
        must_have(_RELEASE, subprocess.run(install, check=False, capture_output=True, timeout=280).returncode == 0)
    must_have(_RELEASE, (venv / "bin" / "spec-kitty").exists())
    return venv / "bin"


def test_it_logs_in_and_delivers_and_the_cards_stand_on_the_board(
    field_client: Path, start_hub: Callable[..., Hub], sqlite_database: str, tmp_path: Path
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    for name, blobs in (("cert", certificate.cert_chain_pems), ("key", [certificate.private_key_pem])):
        (tmp_path / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in blobs))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    hub = start_hub(sqlite_database, "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    url = f"https://localhost:{hub.port}"
    home, project = tmp_path / "field-home", tmp_path / "project"
    (home / ".spec-kitty").mkdir(parents=True)
    (home / ".spec-kitty" / "config.toml").write_text(f'[sync]\nserver_url = "{url}"\n')
    project.mkdir()
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
    environment |= {"HOME": str(home), "SPEC_KITTY_ENABLE_SAAS_SYNC": "1"}
    # Its logins go through httpx, which reads the one, its batches through requests, which reads the other.
    environment |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(tmp_path / "ca.pem"))

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("git", "init", "-q", "-b", "main")
    (project / ".kittify").mkdir()
    run(field_client / "spec-kitty", "auth", "login", "--username", "mira", "--password", PASSWORD)
    # Queued while it is offline, as it is for most of its commands.
    environment["SPEC_KITTY_ENABLE_SAAS_SYNC"] = "0"
    run(field_client / "python", "-c", _WORK)
    environment["SPEC_KITTY_ENABLE_SAAS_SYNC"] = "1"
    assert "Synced: 9" in run(field_client / "spec-kitty", "sync", "now")
    assert "nothing to sync" in run(field_client / "spec-kitty", "sync", "now")

    cookies = {"__Host-kittywatch": hub.open_login("mira", kind="browser").secret}
    trust = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with httpx.Client(base_url=url, cookies=cookies, verify=trust, trust_env=False) as browser:
        board = browser.get("/").text
    review, rest = board.split('id="lane-for_review"')[1], board.split('id="lane-planned"')[1]
    assert "Purr loudly" in review.split("</ol>")[0]
    assert "Nap" in rest.split("</ol>")[0]
    engine = open_engine(hub.database)
    with reading(engine) as connection:
        lines = list(export.lines(connection, accounts.team_named(connection, "cats").id, with_originals=True))
    engine.dispose()
    kept = [json.loads(line) for line in lines]
    assert all(line["original"]["event_id"] == line["event"]["event_id"] for line in kept)
    assert [line["original"]["payload"]["to_lane"] for line in kept if "to_lane" in line["original"]["payload"]] == [
        "claimed",
        "in_progress",
        "for_review",
    ]
    for line in kept:
        from_json(json.dumps(line["event"]))
