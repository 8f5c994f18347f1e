"""The platform as a function: a request and a moment in, an answer out."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.asking import Asked, Refusal, asked
from bkjob_async.simulator.desk import Desk, Route, Site
from bkjob_async.simulator.render_envelopes import failure, success
from bkjob_async.simulator.routes import ROUTES
from bkjob_async.simulator.world import World

LARGEST_BODY = 40 * 1024 * 1024


class Platform:
    """Answers requests in all dialects about one world.

    *site* is how the installation is set up. `answered` counts what was asked, by (dialect, operation).
    """

    def __init__(self, world: World, site: Site | None = None) -> None:
        """Stand in front of *world*."""
        self.world = world
        self.site = site or Site()
        self.answered: Counter[tuple[str, str]] = Counter()

    def answer(self, request: HttpRequest, now: float) -> HttpResponse:
        """Return the platform's answer at a moment; time before it has passed."""
        self.world.advance(now)
        request_id = self._request_id(request, now)
        dialect = "gateway-v3"
        try:
            question = asked(request)
            dialect = question.dialect
            self.answered[dialect, question.operation] += 1
            route = routed(question, request)
            self._check_credentials(question)
            data = route.handle(Desk(world=self.world, site=self.site, now=now), question)
        except Refusal as refused:
            return failure(dialect, refused, request_id)
        return success(dialect, data, request_id)

    def _request_id(self, request: HttpRequest, now: float) -> str:
        """Return an id that the same question at the same moment gets again, in either door."""
        said = f"{self.world.seed}|{now:.6f}|{request.method}|{request.url.raw_path_qs}".encode()
        return blake2b(said, digest_size=16).hexdigest()

    def _check_credentials(self, question: Asked) -> None:
        """Refuse who does not say who they are, or says it wrong."""
        given, site = question.credentials, self.site
        if not given.get("access_token"):
            if not given.get("bk_app_code") or not given.get("bk_app_secret"):
                raise unverified(question, "app code or app secret is missing")
            wrong_code = site.app_code is not None and given["bk_app_code"] != site.app_code
            if wrong_code or (site.app_secret is not None and given["bk_app_secret"] != site.app_secret):
                raise unverified(question, "app code or app secret is incorrect")
            named = any(given.get(key) for key in ("bk_username", "bk_token", "bk_ticket"))
            if site.require_user and not question.system and not named:
                raise unverified(question, "user is missing")
        elif site.app_secret is not None and given["access_token"] != site.app_secret:
            raise unverified(question, "access token is invalid")
        if question.operation in site.forbidden_apis:
            raise not_granted(question)


def routed(question: Asked, request: HttpRequest) -> Route:
    """Return what answers a question; refuse an unknown operation, a wrong method, and what is too long."""
    if len(request.body or b"") > LARGEST_BODY:
        raise Refusal(1641301, "Request body size exceeds limit", status=413, by="gateway")
    route = ROUTES.get(question.dialect, {}).get(question.operation)
    is_esb = question.dialect.startswith("esb")
    if route is None:
        if is_esb:
            raise Refusal(0, "Not found, the component class was not found", status=404, by="esb-path")
        raise Refusal(1640401, f'API not found [path="{request.url.path}"]', status=404, by="gateway")
    if question.method not in route.methods:
        if is_esb:
            raise Refusal(1306209, "Request method error", by="esb")
        raise Refusal(1240003, f"Bad Request: method {question.method} is not supported")
    return route


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
