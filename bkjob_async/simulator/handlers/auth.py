"""Who may ask what: paths, methods, credentials, permissions."""

from __future__ import annotations

from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.handlers.context import Route, SiteConfig
from bkjob_async.simulator.handlers.routes import ROUTES
from bkjob_async.simulator.protocol.requests import Asked, Refusal, no_such_path

LARGEST_BODY = 40 * 1024 * 1024


def admitted(question: Asked, request: HttpRequest, site: SiteConfig) -> Route:
    """Return what answers a question, or raise the `Refusal` of whoever stands before it."""
    is_esb = question.dialect.startswith("esb")
    if len(request.body or b"") > LARGEST_BODY:
        raise Refusal(1641301, "Request body size exceeds limit", status=413, by="gateway")
    route = ROUTES[question.dialect].get(question.operation)
    if route is None or (not is_esb and not route.is_for(system=question.system)):
        raise no_such_path(request.url.path)
    if is_esb and question.method not in route.methods:
        raise Refusal(1306209, "Request method error", by="esb")
    check_credentials(question, site)
    if question.method not in route.methods:
        raise Refusal(1240003, f"Bad Request: method {question.method} is not supported")
    return route


def check_credentials(question: Asked, site: SiteConfig) -> None:
    """Refuse who does not say who they are, or says it wrong."""
    given = question.credentials
    reason = (
        wrong_token(given["access_token"], site) if given.get("access_token") else wrong_app(question, site)
    )
    if reason:
        raise unverified(question, reason)
    if question.operation in site.forbidden_apis:
        raise not_granted(question)


def wrong_token(token: str, site: SiteConfig) -> str | None:
    """Return what is wrong with an access token."""
    return "access token is invalid" if site.access_token not in (None, token) else None


def wrong_app(question: Asked, site: SiteConfig) -> str | None:
    """Return what is wrong with an application's credentials and its user."""
    given = question.credentials
    if not given.get("bk_app_code") or not given.get("bk_app_secret"):
        return "app code or app secret is missing"
    if site.app_code not in (None, given["bk_app_code"]) or site.app_secret not in (
        None,
        given["bk_app_secret"],
    ):
        return "app code or app secret is incorrect"
    named = any(given.get(key) for key in ("bk_username", "bk_token", "bk_ticket"))
    return "user is missing" if site.require_user and not question.system and not named else None


def unverified(question: Asked, reason: str) -> Refusal:
    """Return the refusal of credentials, as whoever stands in front of Job words it."""
    if question.dialect.startswith("esb"):
        return Refusal(1306000, f"APP authentication failed, {reason}", by="esb")
    return Refusal(1640001, f'Parameters error [reason="{reason}"]', status=400, by="gateway")


def not_granted(question: Asked) -> Refusal:
    """Return the refusal of an application that may not use an API."""
    if question.dialect.startswith("esb"):
        return Refusal(1306403, "APP has no permission to use this component", by="esb")
    return Refusal(1640301, "App has no permission to the resource", status=403, by="gateway")
