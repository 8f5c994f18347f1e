"""Which operation of which dialect is answered by what."""

from __future__ import annotations

from bkjob_async.simulator import answers_launch as launches
from bkjob_async.simulator import answers_list as lists
from bkjob_async.simulator import answers_log as logs
from bkjob_async.simulator import answers_status as status
from bkjob_async.simulator.desk import EITHER, READ, WRITE, Handler, Route
from bkjob_async.simulator.world_codes import FILE, SCRIPT, SQL

run_script = launches.launch(SCRIPT, "API Quick execution script")
run_sql = launches.launch(SQL, "API Quick execution SQL")
send_file = launches.launch(FILE, "API Quick distribution file")
push_text = launches.launch(FILE, "API Push config file")

V3_READS: dict[str, Handler] = {
    "get_job_instance_status": status.v3_job_status,
    "get_job_instance_ip_log": logs.one_log,
    "get_job_instance_list": lists.v3_list,
    "get_job_instance_global_var_value": lists.v3_variables,
}
V3_WRITES: dict[str, Handler] = {
    "batch_get_job_instance_ip_log": logs.many_logs,
    "operate_step_instance": status.operate_step,
    "operate_job_instance": status.operate_job,
    "execute_job_plan": launches.execute_plan,
    "fast_execute_script": run_script,
    "fast_execute_sql": run_sql,
    "fast_transfer_file": send_file,
    "push_config_file": push_text,
}
V3_GATEWAY_READS: dict[str, Handler] = {
    "get_step_instance_status": status.v3_step_status,
    "get_step_instance_detail": lists.step_detail,
}
V2: dict[str, Handler] = {
    "get_job_instance_status": status.v2_job_status,
    "get_step_instance_status": status.v2_step_status,
    "get_job_instance_log": logs.v2_job_log,
    "get_job_instance_global_var_value": lists.v2_variables,
    "operate_step_instance": status.operate_step,
    "operate_job_instance": status.operate_job,
    "execute_job": launches.execute_plan,
    "fast_execute_script": run_script,
    "fast_execute_sql": run_sql,
    "fast_push_file": send_file,
    "push_config_file": push_text,
}
V4_READS: dict[str, Handler] = {
    "get_job_instance_status": status.v4_job_status,
    "get_job_instance_list": lists.v4_list,
}
V4_WRITES: dict[str, Handler] = {
    "batch_get_job_instance_execute_object_log": logs.v4_logs,
    "fast_execute_script": run_script,
}


def by(methods: frozenset[str], handlers: dict[str, Handler]) -> dict[str, Route]:
    """Return routes that may be asked by these methods."""
    return {name: Route(handle, methods) for name, handle in handlers.items()}


ROUTES: dict[str, dict[str, Route]] = {
    "esb-job": by(EITHER, V2),
    "esb-jobv3": by(EITHER, {**V3_READS, **V3_WRITES}),
    "gateway-v3": {**by(READ, {**V3_READS, **V3_GATEWAY_READS}), **by(WRITE, V3_WRITES)},
    "gateway-v4": {**by(READ, V4_READS), **by(WRITE, V4_WRITES)},
}
