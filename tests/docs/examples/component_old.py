"""With `bkapi-component-open` or `blueking.component`: start a plan and wait for it."""

import time
from typing import Any


def run_plan(client: Any, plan: int, version: str) -> bool:
    """*client* comes from `get_client_by_request` or `get_client_by_user`."""
    scope = {"bk_scope_type": "biz", "bk_scope_id": "2"}
    launched = client.jobv3.execute_job_plan(
        {**scope, "job_plan_id": plan, "global_var_list": [{"name": "version", "value": version}]}
    )
    job = {**scope, "job_instance_id": launched["data"]["job_instance_id"]}
    for _ in range(720):
        answer = client.jobv3.get_job_instance_status(job)
        status = answer["data"]["job_instance"]["status"]
        if status > 3:
            return False  # 7 waits for a user, 10 is stopping, 15 waits for its next batch: none has failed
        if status == 3:
            return True
        time.sleep(5)
    return False  # an hour later nobody knows; the job may still succeed
