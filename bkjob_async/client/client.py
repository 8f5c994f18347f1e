"""The client: one class that lists every operation, watch and shortcut."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from bkjob_async.client import limits, shortcuts, statistics, watching
from bkjob_async.client.caller import Caller
from bkjob_async.client.imported import add_imported_methods
from bkjob_async.client.operations import batch_logs, operate_step
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.names import OPERATIONS

if TYPE_CHECKING:
    from bkjob_async.client import looking
    from bkjob_async.client.operations import (
        base,
        extra_operations,
        launches,
        management,
        queries,
        stored_queries,
    )


class JobClient(Caller):
    """A client of one platform, in one event loop; see `connect`.

    Platform operations keep the platform's names and parameters. The shortcuts combine them: run, wait,
    retry, read logs. A client may be opened in one task and closed in another.

    The examples can be typed into `python -m asyncio`. In them `client` is an open client of `gateway-v3`, `system` one
    with `system=True`; `v4` and `esb` are clients of `gateway-v4` and `esb-job`. The *job* has ended with one step, in
    which one of three hosts has failed.
    """

    # Shortcuts and watches
    run_script = shortcuts.run_script
    launch_script = shortcuts.launch_script
    run_plan = shortcuts.run_plan
    send_file = shortcuts.send_file
    retry_failed = shortcuts.retry_failed
    logs = shortcuts.logs
    watch = watching.watch
    wait = watching.wait
    nudge = watching.nudge
    durations = watching.durations
    export_durations = watching.export_durations
    import_durations = watching.import_durations
    outage = watching.outage
    set_requests_per_second = limits.set_requests_per_second
    stats = statistics.stats
    if TYPE_CHECKING:
        status = looking.status

    # Operations of the platform
    operate_step_instance = operate_step.operate_step_instance
    batch_get_job_instance_ip_log = batch_logs.batch_get_job_instance_ip_log
    if TYPE_CHECKING:  # each is imported when it is first used
        # What `python -m tests.generate` writes: begin
        get_job_instance_status = base.get_job_instance_status
        get_step_instance_status = base.get_step_instance_status
        operate_job_instance = base.operate_job_instance
        get_job_instance_log = queries.get_job_instance_log
        get_job_instance_ip_log = queries.get_job_instance_ip_log
        get_job_instance_list = queries.get_job_instance_list
        get_job_instance_global_var_value = queries.get_job_instance_global_var_value
        execute_job_plan = launches.execute_job_plan
        fast_execute_script = launches.fast_execute_script
        fast_execute_sql = launches.fast_execute_sql
        fast_transfer_file = launches.fast_transfer_file
        push_config_file = launches.push_config_file
        get_job_template_list = stored_queries.get_job_template_list
        get_job_plan_list = stored_queries.get_job_plan_list
        get_job_plan_detail = stored_queries.get_job_plan_detail
        get_account_list = stored_queries.get_account_list
        get_public_script_list = stored_queries.get_public_script_list
        get_script_list = stored_queries.get_script_list
        get_public_script_version_list = stored_queries.get_public_script_version_list
        get_script_version_list = stored_queries.get_script_version_list
        get_public_script_version_detail = stored_queries.get_public_script_version_detail
        get_script_version_detail = stored_queries.get_script_version_detail
        get_cron_list = stored_queries.get_cron_list
        get_cron_detail = stored_queries.get_cron_detail
        save_cron = management.save_cron
        update_cron_status = management.update_cron_status
        delete_cron = management.delete_cron
        check_script = management.check_script
        query_agent_info = management.query_agent_info
        get_file_source_detail = management.get_file_source_detail
        create_job_plan = management.create_job_plan
        get_job_template_detail = management.get_job_template_detail
        get_user_authorized_scopes = management.get_user_authorized_scopes
        get_step_instance_detail = extra_operations.get_step_instance_detail
        query_gse_task = extra_operations.query_gse_task
        query_job_instance = extra_operations.query_job_instance
        generate_local_file_upload_url = extra_operations.generate_local_file_upload_url
        get_script_task_context = extra_operations.get_script_task_context
        get_file_task_context = extra_operations.get_file_task_context
        bkci_plugin_fast_execute_script = extra_operations.bkci_plugin_fast_execute_script
        bkci_plugin_fast_transfer_file = extra_operations.bkci_plugin_fast_transfer_file
        bkci_plugin_get_job_instance_status = extra_operations.bkci_plugin_get_job_instance_status
        bkci_plugin_batch_get_job_instance_execute_object_log = (
            extra_operations.bkci_plugin_batch_get_job_instance_execute_object_log
        )
        # end

    # Lifetime

    def __repr__(self) -> str:
        return f"<JobClient {self._lifetime}: {self._session.dialect.name} at {self._session.base_url}>"

    async def __aenter__(self) -> Self:
        if self._is_view:
            raise UsageError("a view is neither opened nor closed; open the client that it was made of")
        self._lifetime.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:  # a checker reports a `with`; this is for code that nobody checks

        def __enter__(self) -> NoReturn:
            raise UsageError(
                "the client is asynchronous: async with bkjob_async.connect(...) as client, within a coroutine;"
                " code without an event loop uses bkjob_async.sync.connect(...)"
            )

        def __exit__(self, *_error: object) -> None: ...

    async def aclose(self) -> None:
        """End every watch and release connections; harmless when repeated, and without effect on a view.

        >>> await client.aclose()
        >>> client
        <JobClient closed: gateway-v3 at http://sim/api/bk-job/prod>
        """
        if self._is_view or not self._lifetime.close():
            return
        try:
            await self._poller.aclose()
        finally:
            await self._session.aclose()


# The methods that are imported when they are first used, each with the module of its function in this folder.
IMPORTED = {"status": "looking"} | {name: f"operations.{module}" for name, module in OPERATIONS.items()}
add_imported_methods(JobClient, IMPORTED)
