"""Which operation of which dialect is answered by what."""

from __future__ import annotations

from bkjob_async.simulator import answers_status as status
from bkjob_async.simulator.desk import EITHER, READ, WRITE, Route

ROUTES: dict[str, dict[str, Route]] = {
    "esb-job": {
        "get_job_instance_status": Route(status.v2_job_status, EITHER),
        "get_step_instance_status": Route(status.v2_step_status, EITHER),
        "operate_step_instance": Route(status.operate_step, EITHER),
        "operate_job_instance": Route(status.operate_job, EITHER),
    },
    "esb-jobv3": {
        "get_job_instance_status": Route(status.v3_job_status, EITHER),
        "operate_step_instance": Route(status.operate_step, EITHER),
        "operate_job_instance": Route(status.operate_job, EITHER),
    },
    "gateway-v3": {
        "get_job_instance_status": Route(status.v3_job_status, READ),
        "get_step_instance_status": Route(status.v3_step_status, READ),
        "operate_step_instance": Route(status.operate_step, WRITE),
        "operate_job_instance": Route(status.operate_job, WRITE),
    },
}
