"""The handler of each operation of each dialect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen

from bkjob_async.simulator.handlers import launch as launches
from bkjob_async.simulator.handlers import lists, logs, status, task_queries
from bkjob_async.simulator.handlers.catalog import changes, listing, version_2
from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.catalog import DATABASE_ACCOUNT, SYSTEM_ACCOUNT
from bkjob_async.simulator.world.codes import FILE, SCRIPT, SQL

Handler = Callable[[RequestContext, ParsedRequest], Any]
EVERYBODY, SYSTEMS, USERS = "everybody", "systems", "users"


@frozen
class Route:
    """The handler of an operation, its HTTP methods, and on which of the gateway's two paths it is."""

    handle: Handler
    methods: frozenset[str]
    audience: str = EVERYBODY

    def is_for(self, *, system: bool) -> bool:
        """Return True if the operation is on the path of the request: the plain one, or `system/`."""
        return self.audience == EVERYBODY or (self.audience == SYSTEMS) == system


READ = frozenset({"GET"})
WRITE = frozenset({"POST"})
EITHER = frozenset({"GET", "POST"})

run_script = partial(launches.launch, kind=SCRIPT, title="API Quick execution script")
run_sql = partial(launches.launch, kind=SQL, title="API Quick execution SQL")
send_file = partial(launches.launch, kind=FILE, title="API Quick distribution file")
push_text = partial(launches.launch, kind=FILE, title="API Push config file")

V3_READS: dict[str, Handler] = {
    "get_job_instance_status": status.v3_job_status,
    "get_job_instance_ip_log": logs.one_log,
    "get_job_instance_list": lists.v3_list,
    "get_job_instance_global_var_value": partial(
        lists.variables, steps="step_instance_var_list", values="global_var_list", kind="type", nothing=[]
    ),
    "get_job_plan_list": listing.plan_list,
    "get_job_plan_detail": listing.plan_detail,
    "get_job_template_list": listing.template_list,
    "get_account_list": listing.account_list,
    "get_script_list": partial(listing.script_list, public=False),
    "get_script_version_list": partial(listing.version_list, public=False),
    "get_script_version_detail": partial(listing.version_detail, public=False),
    "get_public_script_list": partial(listing.script_list, public=True),
    "get_public_script_version_list": partial(listing.version_list, public=True),
    "get_public_script_version_detail": partial(listing.version_detail, public=True),
    "get_cron_list": listing.cron_list,
    "get_cron_detail": listing.cron_detail,
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
    "save_cron": changes.save_cron,
    "update_cron_status": changes.update_cron_status,
    "delete_cron": changes.delete_cron,
    "check_script": listing.check_script,
    "create_account": changes.create_account,
    "create_credential": changes.create_credential,
    "create_file_source": changes.create_file_source,
}
V3_GATEWAY_READS: dict[str, Handler] = {
    "get_step_instance_status": status.v3_step_status,
    "get_step_instance_detail": status.step_detail,
    "get_file_source_detail": listing.file_source_detail,
}
V3_SYSTEM_READS: dict[str, Handler] = {
    "query_gse_task": task_queries.query_gse_task,
    "query_job_instance": task_queries.query_job_instance,
}
V3_SYSTEM_WRITES: dict[str, Handler] = {
    "bkci_plugin_fast_execute_script": run_script,
    "bkci_plugin_fast_transfer_file": send_file,
    "bkci_plugin_get_job_instance_status": status.plugin_job_status,
    "bkci_plugin_batch_get_job_instance_execute_object_log": logs.plugin_logs,
    "generate_local_file_upload_url": task_queries.upload_urls,
    "query_agent_info": listing.agent_info,
}
V2: dict[str, Handler] = {
    "get_job_instance_status": status.v2_job_status,
    "get_step_instance_status": status.v2_step_status,
    "get_job_instance_log": logs.v2_job_log,
    "get_job_instance_global_var_value": partial(
        lists.variables,
        steps="job_instance_var_values",
        values="step_instance_var_values",
        kind="category",
        nothing=None,
    ),
    "get_job_list": version_2.job_list,
    "get_job_detail": version_2.job_detail,
    "get_script_list": version_2.script_list,
    "get_public_script_list": partial(version_2.script_list, public=True),
    "get_script_detail": version_2.script_detail,
    "get_os_account": partial(version_2.account_list, category=SYSTEM_ACCOUNT),
    "get_own_db_account_list": partial(version_2.account_list, category=DATABASE_ACCOUNT),
    "get_cron_list": version_2.cron_list,
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
V4_USER_READS: dict[str, Handler] = {
    "get_job_template_detail": listing.template_detail,
    "get_user_authorized_scopes": listing.authorized_scopes,
}
V4_USER_WRITES: dict[str, Handler] = {
    "create_job_plan": changes.create_plan,
    "get_script_task_context": task_queries.script_context,
    "get_file_task_context": task_queries.file_context,
}


def by(
    methods: frozenset[str], handlers: dict[str, Handler], *, audience: str = EVERYBODY
) -> dict[str, Route]:
    """Return routes with these methods, on these paths of the gateway."""
    return {name: Route(handle, methods, audience) for name, handle in handlers.items()}


ESB_ONLY: dict[str, Handler] = {"generate_local_file_upload_url": task_queries.upload_urls}
ROUTES: dict[str, dict[str, Route]] = {
    "esb-job": by(EITHER, V2),
    "esb-jobv3": by(EITHER, {**V3_READS, **V3_WRITES, **ESB_ONLY}),
    "gateway-v3": {
        **by(READ, {**V3_READS, **V3_GATEWAY_READS}),
        **by(WRITE, V3_WRITES),
        **by(READ, V3_SYSTEM_READS, audience=SYSTEMS),
        **by(WRITE, V3_SYSTEM_WRITES, audience=SYSTEMS),
    },
    "gateway-v4": {
        **by(READ, V4_READS),
        **by(WRITE, V4_WRITES),
        **by(READ, V4_USER_READS, audience=USERS),
        **by(WRITE, V4_USER_WRITES, audience=USERS),
    },
}
