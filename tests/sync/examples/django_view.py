"""Views of a Django project under WSGI: one client in each process, used by all its threads."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import HttpRequest, JsonResponse

import bkjob_async as bkjob
from bkjob_async import sync


@cache
def jobs() -> sync.JobClient:
    """Return the client of this process; the first request of each process creates it."""
    credentials = bkjob.AppCredentials(
        bk_app_code=settings.BKJOB_APP_CODE,
        bk_app_secret=settings.BKJOB_APP_SECRET,
        bk_username="admin",
    )
    return sync.connect(settings.BKJOB_URL, credentials, scope=bkjob.Scope.biz(2))


def restart(request: HttpRequest, host: str) -> JsonResponse:
    """Restart a service on a host: `path("restart/<host>", restart)`."""
    try:
        result = jobs().run_script("systemctl restart nginx", host, deadline=60)
    except bkjob.DeadlineExceeded as late:
        return JsonResponse(
            {"state": "still running", "jobs": [str(ref) for ref in late.snapshots]}, status=202
        )
    return JsonResponse({"ok": result.ok, "failed": [host.host.label for _, host in result.failed]})


def progress(request: HttpRequest, job: int) -> JsonResponse:
    """Return the state of a job: `path("jobs/<int:job>", progress)`."""
    status = jobs().get_job_instance_status(job)
    return JsonResponse({"status": status.status.name, "finished": status.is_finished})
