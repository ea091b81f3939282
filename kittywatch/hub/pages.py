"""Rendering: Jinja2 with autoescape for every template, from the package's own files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from kittywatch.hub.columns import CATEGORY_NAMES, LANE_NAMES
from kittywatch.hub.lane_sources import SOURCE_NAMES

_environment = Environment(
    loader=PackageLoader("kittywatch.hub", "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # the package's files don't change under a server, and each look would be a call of the system
)
_environment.globals |= {"lane_names": LANE_NAMES, "category_names": CATEGORY_NAMES, "source_names": SOURCE_NAMES}
_environment.globals["comes_again"] = False  # of error pages: whether to look again until it works


def prepare() -> None:
    """Compile every template, which the first who needs one would wait for, and whoever else is served meanwhile."""
    for name in _environment.list_templates():
        _environment.get_template(name)


def fragment(template: str, **values: Any) -> str:
    """A template's text."""
    return _environment.get_template(template).render(**values)


def render(
    request: HTTPConnection,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page."""
    return HTMLResponse(fragment(template, path=request.url.path, **values), status_code=status, headers=headers)
