"""Signing in and out with a browser, and changing the password."""

from __future__ import annotations

from urllib.parse import parse_qsl

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from kittywatch.hub import accounts, credentials, passwords, sessions
from kittywatch.hub.answers import password_door
from kittywatch.hub.bodies import read_body
from kittywatch.hub.errors import CredentialError, RequestError, ThrottledError
from kittywatch.hub.pages import fragment, render
from kittywatch.hub.service import service_of
from kittywatch.hub.sessions import BROWSER_SECONDS, Opened


async def sign_in_page(request: Request) -> Response:
    """`GET /sign-in`"""
    return render(request, "sign_in.html", target=_target(request.query_params.get("next", "")), name="", problem="")


async def sign_in(request: Request) -> Response:
    """`POST /sign-in` with `name`, `password`, `next`."""
    form = await _form(request)
    name, target = form.get("name", ""), _target(form.get("next", ""))
    service = service_of(request)
    try:
        opened = await credentials.sign_in(
            service,
            name=name,
            password=form.get("password", ""),
            address=credentials.network_of_stranger(request),
            kind="browser",
        )
    except ThrottledError as error:
        problem = f"Too many tries. Wait {max(1, round(error.retry_after))} seconds, then try again."
        headers = {"Retry-After": str(max(1, round(error.retry_after)))}
        return render(
            request, "sign_in.html", status=429, headers=headers, target=target, name=name[:150], problem=problem
        )
    except CredentialError as error:
        return render(request, "sign_in.html", status=401, target=target, name=name[:150], problem=error.message)
    if before := credentials.cookie_of(request):  # this browser's cookie is replaced: what it opened ends with it
        await service.write(lambda database: sessions.revoke_cookie(database, before))
    return _with_cookie(request, opened, target=password_door(target) if opened.login.must_change else target)


async def sign_out(request: Request) -> Response:
    """`POST /sign-out`"""
    login = await credentials.of_browser(request)
    await service_of(request).write(lambda database: sessions.revoke(database, login.session_id))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(credentials.cookie_name(request), path="/", secure=credentials.is_secure(request))
    return response


async def session(request: Request) -> Response:
    """`GET /session`: 200 while the cookie's login is good, else 401; for pages that lost their connection."""
    await credentials.of_browser(request)
    return PlainTextResponse("signed in\n")


async def password_page(request: Request) -> Response:
    """`GET /password`"""
    login = await credentials.of_browser(request)
    target = _target(request.query_params.get("next", ""))
    return render(request, "password.html", login=login, problem="", target=target, min_length=passwords.MIN_LENGTH)


async def change_password(request: Request) -> Response:
    """`POST /password` with `current`, `new`, `next`; ends the user's other logins."""
    login = await credentials.of_browser(request)
    service = service_of(request)
    form = await _form(request)
    new, target = form.get("new", ""), _target(form.get("next", ""))
    problem = passwords.problem_of(new, name=login.user_name)
    if new == form.get("current"):
        problem = "The new password is the old one."
    if not problem:
        try:
            # The same way as signing in, so that it is throttled alike.
            await credentials.sign_in(
                service,
                name=login.user_name,
                password=form.get("current", ""),
                address=credentials.network_of_stranger(request),
                kind="browser",
            )
        except (CredentialError, ThrottledError) as error:
            problem = error.message
    if problem:
        shown = {"problem": problem, "target": target, "min_length": str(passwords.MIN_LENGTH)}
        return HTMLResponse(fragment("password.html", path="/password", login=login, **shown), status_code=400)

    def change(database: Connection) -> Opened:
        user = accounts.user_named(database, login.user_name)
        accounts.set_password(database, user, password=new, must_change=False)
        return sessions.open_session(database, user, kind="browser")

    return _with_cookie(request, await service.write(change), target=target)


async def _form(request: Request) -> dict[str, str]:
    limits = service_of(request).config.limits
    body = await read_body(request.stream(), limit=limits.small_body, seconds=limits.small_body_seconds)
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10))
    except ValueError:
        raise RequestError("The form has too many fields.", remedy="Use the page's own form.") from None


def _target(path: str) -> str:
    """Where to go after signing in: a path here, never another site."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


def _with_cookie(request: Request, opened: Opened, *, target: str) -> Response:
    response = RedirectResponse(target, 303)
    response.set_cookie(
        credentials.cookie_name(request),
        opened.secret,
        max_age=BROWSER_SECONDS,
        path="/",
        secure=credentials.is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response
