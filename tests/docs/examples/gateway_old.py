"""With `bkapi-client-core`: run a script on hosts and return those on which it failed."""

import base64
import time
from typing import Any


def failed_hosts(client: Any, script: str, hosts: list[int]) -> list[str]:
    """*client* is an `APIGatewayClient` with the group of operations `api`."""
    scope = {"bk_scope_type": "biz", "bk_scope_id": "2"}
    launched = client.api.fast_execute_script(
        {
            **scope,
            "script_content": base64.b64encode(script.encode()).decode(),
            "script_language": 1,
            "account_alias": "root",
            "target_server": {"host_id_list": hosts},
        }
    )
    if not launched["result"]:
        raise RuntimeError(launched["message"])
    job = {**scope, "job_instance_id": launched["data"]["job_instance_id"]}
    while True:
        answer = client.api.get_job_instance_status({**job, "return_ip_result": "true"})
        if not answer["result"]:
            raise RuntimeError(answer["message"])  # a rate limit, a timeout: the job goes on unseen
        if answer["data"]["finished"]:
            break
        time.sleep(5)
    rows = answer["data"]["step_instance_list"][0]["step_ip_result_list"]
    return [row["ip"] for row in rows if row["status"] != 9]  # 3 is a success, too
