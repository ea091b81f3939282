"""How errors are answered: JSON for machines, a page for browsers; never what a caller sent, never a traceback."""

from __future__ import annotations

import logging
import math
from typing import cast
from urllib.parse import urlencode

from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from kittywatch.hub.errors import CredentialError, HubError, PasswordChangeError, RequestError, ThrottledError
from kittywatch.hub.pages import render

_log = logging.getLogger("kittywatch.hub")
_RETRY_SECONDS = "1"


def answer_error(request: Request, error: Exception) -> Response:
    """For a HubError."""
    problem = cast(HubError, error)
    status = problem.code if isinstance(problem, RequestError) else problem.status
    headers = {}
    if isinstance(problem, ThrottledError):
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if not _wants_page(request):
        return JSONResponse({"error": problem.message, "details": problem.remedy}, status_code=status, headers=headers)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if isinstance(problem, CredentialError):
        return RedirectResponse(f"/sign-in?{urlencode({'next': target})}", 303)
    if isinstance(problem, PasswordChangeError):
        return RedirectResponse(password_door(target), 303)
    return render(request, "error.html", status=status, headers=headers, title=problem.message, text=problem.remedy)


def password_door(target: str) -> str:
    """Where a password is chosen, and from there on to `target`, a path of ours."""
    return "/password" if target == "/" else f"/password?{urlencode({'next': target})}"


def answer_database_error(request: HTTPConnection, error: Exception) -> Response:
    """For a database that does not answer: nothing is lost, the client tries again."""
    _log.error("the database failed: %s", type(getattr(error, "orig", None) or error).__name__)
    headers = {"Retry-After": _RETRY_SECONDS}
    message = "The hub's database does not answer right now."
    if _wants_page(request):
        return render(request, "error.html", status=503, headers=headers, title=message, text="", comes_again=True)
    return JSONResponse({"error": message, "details": "Try again."}, status_code=503, headers=headers)


def answer_data_error(request: Request, error: Exception) -> Response:
    """For a value in a question that the database cannot even look for, such as NUL in a text."""
    return answer_error(request, RequestError("The request has a value that nothing can have."))


def answer_http_error(request: Request, error: Exception) -> Response:
    """For what routing refuses: 404, 405."""
    problem = cast(HTTPException, error)
    headers = dict(problem.headers or {})
    if _wants_page(request):
        return render(request, "error.html", status=problem.status_code, headers=headers, title=problem.detail, text="")
    return JSONResponse({"error": problem.detail, "details": ""}, status_code=problem.status_code, headers=headers)


def answer_bug(request: Request, error: Exception) -> Response:
    """For everything else."""
    return PlainTextResponse("The hub has a bug; its log says more.\n", status_code=500)


def _wants_page(request: HTTPConnection) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


HANDLERS = {
    HubError: answer_error,
    DataError: answer_data_error,
    SQLAlchemyError: answer_database_error,
    HTTPException: answer_http_error,
    Exception: answer_bug,
}
