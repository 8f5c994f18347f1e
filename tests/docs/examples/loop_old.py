"""A loop of one's own: watch many jobs and report each host that has failed."""

import time
from collections.abc import Callable

import requests


def watch(url: str, headers: dict[str, str], jobs: list[int], report: Callable[[int, str], None]) -> None:
    """One request per job and round, whether anything has changed or not."""
    unfinished, reported = set(jobs), set()
    while unfinished:
        for job in sorted(unfinished):
            ids = {"bk_scope_type": "biz", "bk_scope_id": "2", "job_instance_id": str(job)}
            ids["return_ip_result"] = "true"
            answer = requests.get(
                f"{url}/api/v3/get_job_instance_status", params=ids, headers=headers, timeout=30
            )
            data = answer.json()["data"]  # a KeyError when the gateway limits the rate, which ends the loop
            for step in data["step_instance_list"]:
                for row in step["step_ip_result_list"] or ():
                    if row["status"] not in (3, 5, 7, 9) and (job, row["ip"]) not in reported:
                        reported.add((job, row["ip"]))  # a retry is not reported again
                        report(job, row["ip"])
            if data["finished"]:
                unfinished.discard(job)
        time.sleep(5)
