"""Requests that hypothesis makes up from the hub's own routes: whatever comes, the answer is one of the protocol's."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from kittywatch.hub.app import ROUTES
from tests.hub.hubs import created

METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
PATHS = sorted({route.path for route in ROUTES if isinstance(route, Route)} | {"/static/{feature}", "/{feature}"})
QUERIES = ("lane", "cursor", "before", "after", "project", "feature", "agent", "text", "blocked", "next")

_texts = st.text(max_size=60) | st.sampled_from(
    ["..", ".", "\0", "%00", "/", "\\", "a" * 5000, "-1", "9" * 30, "doing"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)
_nearly = st.builds(
    lambda name, value: created("WP01", lamport=1) | {name: value},
    st.sampled_from(list(created("WP01", lamport=1))),
    _json,
)
_bodies = st.one_of(
    st.binary(max_size=300),
    _json,
    st.builds(lambda events: {"events": events}, st.lists(_nearly | _json, max_size=4)),
    st.fixed_dictionaries({"username": _texts, "password": _texts}),
    st.fixed_dictionaries({"refresh": _texts}),
)
_headers = st.dictionaries(
    st.sampled_from(
        [
            "Accept",
            "Authorization",
            "Content-Encoding",
            "Content-Type",
            "Cookie",
            "Expect",
            "If-None-Match",
            "Origin",
            "Range",
            "Transfer-Encoding",
            "Upgrade",
            "X-Forwarded-For",
            "X-Fragment",
        ]
    ),
    st.sampled_from(
        ["gzip", "br", "text/html", "board", "drawer", "null", "::1", "websocket", "Bearer x", "*", "chunked"]
    )
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
    max_size=4,
)


@st.composite
def requests(draw: Any) -> tuple[str, str, bytes, dict[str, str]]:
    """A method, a path with a query, a body, headers."""
    path = draw(st.sampled_from(PATHS))
    for name in ("{project}", "{feature:path}", "{feature}", "{wp_id}"):
        path = path.replace(name, quote(draw(_texts), safe=draw(st.sampled_from(["", "/"]))))
    query = draw(st.dictionaries(st.sampled_from(QUERIES), _texts, max_size=3))
    value = draw(_bodies)
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    headers = draw(_headers)
    if draw(st.booleans()):
        body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip"}
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    return draw(st.sampled_from(METHODS)), f"{path}?{text}" if text else path, body, headers


def in_a_process(url: str, *, access: str, cookie: str, examples: int) -> Counter[int]:
    """`fuzz` in a process of its own: hypothesis minds what other threads do with `random`."""
    command = [sys.executable, "-m", "tests.hub.fuzzing", url, access, cookie, str(examples)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return Counter({int(status): count for status, count in json.loads(done.stdout).items()})


def fuzz(url: str, *, access: str, cookie: str, examples: int) -> Counter[int]:
    """Send so many; the answers by status. Raises AssertionError for one that is none of the protocol's."""
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=url, timeout=90, trust_env=False) as http:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests(), st.sampled_from(["nobody", "machine", "browser"]))
        def run(request: tuple[str, str, bytes, dict[str, str]], who: str) -> None:
            method, path, body, headers = request
            if who == "machine":
                headers = headers | {"Authorization": f"Bearer {access}"}
            elif who == "browser":
                headers = headers | {"Cookie": f"kittywatch={cookie}", "Origin": url}
            try:
                answer = http.request(method, path, content=body, headers=headers)
            except (httpx.InvalidURL, httpx.LocalProtocolError, httpx.RemoteProtocolError):
                statuses[0] += 1  # nothing that is HTTP was sent; or the hub closed what wasn't
                return
            except httpx.TransportError:
                statuses[1] += 1
                return
            statuses[answer.status_code] += 1
            assert answer.status_code < 500 or answer.status_code == 503, (request, who, answer.status_code)
            if path.startswith("/api/") and method != "HEAD" and answer.status_code in (401, 413, 415, 429):
                assert answer.json().keys() == {"error", "details"}

        run()
    return statuses


if __name__ == "__main__":
    to, token, secret, count = sys.argv[1:]
    print(json.dumps(fuzz(to, access=token, cookie=secret, examples=int(count))))
