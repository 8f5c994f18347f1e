"""Authorize requests: paths, methods, credentials and permissions."""

from __future__ import annotations

from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.handlers.routes import ROUTES, Route
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.protocol.api_errors import ApiError, no_such_path
from bkjob_async.simulator.protocol.requests import ParsedRequest

MAX_BODY_BYTES = 40 * 1024 * 1024


def authorize(request: ParsedRequest, http_request: HttpRequest, site: SiteConfig) -> Route:
    """Return the route of a request; raise the `ApiError` of gateway, ESB or permissions."""
    is_esb = request.dialect.startswith("esb")
    if len(http_request.body or b"") > MAX_BODY_BYTES:
        raise ApiError(1641301, "Request body size exceeds limit", status=413, by="gateway")
    route = ROUTES[request.dialect].get(request.operation)
    if route is None or (not is_esb and not route.is_for(system=request.system)):
        raise no_such_path(http_request.url.path)
    if is_esb and request.method not in route.methods:
        raise ApiError(1306209, "Request method error", by="esb")
    check_credentials(request, site)
    if request.method not in route.methods:
        raise ApiError(1240003, f"Bad Request: method {request.method} is not supported")
    return route


def check_credentials(request: ParsedRequest, site: SiteConfig) -> None:
    """Raise `ApiError` for missing or wrong credentials."""
    given = request.credentials
    token = given.get("access_token")
    if not token:
        reason = app_error(request, site)
    else:
        reason = "access token is invalid" if site.access_token not in (None, token) else None
    if reason:
        raise credentials_error(request, reason)
    if request.operation in site.forbidden_apis:
        raise permission_error(request)


def app_error(request: ParsedRequest, site: SiteConfig) -> str | None:
    """Return the error for an application's credentials and its user, None for none."""
    given = request.credentials
    if not given.get("bk_app_code") or not given.get("bk_app_secret"):
        return "app code or app secret is missing"
    if site.app_code not in (None, given["bk_app_code"]) or site.app_secret not in (
        None,
        given["bk_app_secret"],
    ):
        return "app code or app secret is incorrect"
    names_user = any(given.get(key) for key in ("bk_username", "bk_token", "bk_ticket"))
    return "user is missing" if site.require_user and not request.system and not names_user else None


def credentials_error(request: ParsedRequest, reason: str) -> ApiError:
    """Return the error for wrong credentials, as gateway or ESB report it."""
    if request.dialect.startswith("esb"):
        return ApiError(1306000, f"APP authentication failed, {reason}", by="esb")
    return ApiError(1640001, f'Parameters error [reason="{reason}"]', status=400, by="gateway")


def permission_error(request: ParsedRequest) -> ApiError:
    """Return the error for an application that may not use an API."""
    if request.dialect.startswith("esb"):
        return ApiError(1306403, "APP has no permission to use this component", by="esb")
    return ApiError(1640301, "App has no permission to the resource", status=403, by="gateway")
