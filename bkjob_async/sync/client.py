"""The client of the twin: one class that lists every operation, watch and shortcut."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from bkjob_async.client import caller, client, limits, shortcuts, statistics, watching
from bkjob_async.client.imported import add_imported_methods
from bkjob_async.client.operations import batch_logs, operate_step
from bkjob_async.model.operations.base import Operation, R
from bkjob_async.model.refs import Scope
from bkjob_async.sync.loop_thread import LoopThread
from bkjob_async.sync.methods import (
    called_here,
    called_in_loop,
    in_loop,
    in_loop_or_listed,
    listed,
    viewed,
    watched,
)

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


class JobClient:
    """A client of one platform for code without an event loop; see `connect`.

    It has the methods of `bkjob_async.JobClient`, with the same parameters and results. Each is called without `await`, and
    returns when it is done. Lists and readers are ordinary iterators.

    The first call, or `with`, starts a thread that runs the client in an event loop of its own. Any thread may use the
    client, and several may at once. A call that its thread leaves by an exception, as by Ctrl-C or by a time limit that a
    signal sets, is cancelled; the job that it has launched goes on, and the exception has a note that names it. After a
    `fork` a child may use a client that was not used before it; any other raises `WrongEventLoop` there. Where the system
    cannot start the loop, a call raises `TransportFailed`, and the next one tries again.

    In the examples `client` is such a client of `gateway-v3`, `system` one with `system=True`; `v4` and `esb` are clients of
    `gateway-v4` and `esb-job`. The *job* has ended with one step, in which one of three hosts has failed.
    """

    def __init__(self, client: client.JobClient, thread: LoopThread | None = None) -> None:
        """Hand over to *client*, in *thread*, by default one of its own; `connect` does so."""
        self._client = client
        self._is_view = thread is not None
        self._thread = LoopThread(client) if thread is None else thread

    def __repr__(self) -> str:
        return repr(self._client).replace("<", "<synchronous ", 1)

    def __enter__(self) -> Self:
        self._thread.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every watch, release connections and end the thread; harmless when repeated, and without effect on a view.

        >>> client.close()
        >>> client
        <synchronous JobClient closed: gateway-v3 at http://sim/api/bk-job/prod>
        """
        if not self._is_view:
            self._thread.close()

    @property
    def scope(self) -> Scope | None:
        """The scope of jobs that are named by a bare id, None for none."""
        return self._client.scope

    # Naming things, and calls
    with_options = viewed(client.JobClient.with_options)
    job = called_here(caller.Caller.job)
    step = called_here(caller.Caller.step)
    if TYPE_CHECKING:

        @overload
        def call(self, operation: Operation[R], *, request_timeout: float | None = None) -> R: ...
        @overload
        def call(
            self,
            operation: str,
            parameters: Mapping[str, Any] | None = None,
            *,
            method: Literal["GET", "POST"] = "POST",
            scope: Scope | None = None,
            request_timeout: float | None = None,
        ) -> Any: ...
        def call(self, *_args: Any, **_kwargs: Any) -> Any:
            """Send *operation* and return its typed result; see `bkjob_async.JobClient.call`."""

    else:
        call = in_loop(caller.Caller.call)
    call_raw = in_loop(caller.Caller.call_raw)

    # Shortcuts and watches
    run_script = in_loop(shortcuts.run_script)
    launch_script = in_loop(shortcuts.launch_script)
    run_plan = in_loop(shortcuts.run_plan)
    send_file = in_loop(shortcuts.send_file)
    retry_failed = in_loop(shortcuts.retry_failed)
    logs = in_loop(shortcuts.logs)
    watch = watched(watching.watch)
    wait = in_loop(watching.wait)
    nudge = called_in_loop(watching.nudge)
    durations = called_in_loop(watching.durations)
    export_durations = called_in_loop(watching.export_durations)
    import_durations = called_in_loop(watching.import_durations)
    outage = called_in_loop(watching.outage)
    set_requests_per_second = called_in_loop(limits.set_requests_per_second)
    stats = called_here(statistics.stats)
    if TYPE_CHECKING:
        status = in_loop(looking.status)

    # Operations of the platform
    operate_step_instance = in_loop(operate_step.operate_step_instance)
    batch_get_job_instance_ip_log = in_loop(batch_logs.batch_get_job_instance_ip_log)
    if TYPE_CHECKING:  # each is imported when it is first used
        # What `python -m tests.generate` writes: begin
        get_job_instance_status = in_loop(base.get_job_instance_status)
        get_step_instance_status = in_loop(base.get_step_instance_status)
        operate_job_instance = in_loop(base.operate_job_instance)
        get_job_instance_log = in_loop(queries.get_job_instance_log)
        get_job_instance_ip_log = in_loop(queries.get_job_instance_ip_log)
        get_job_instance_list = listed(queries.get_job_instance_list)
        get_job_instance_global_var_value = in_loop(queries.get_job_instance_global_var_value)
        execute_job_plan = in_loop(launches.execute_job_plan)
        fast_execute_script = in_loop(launches.fast_execute_script)
        fast_execute_sql = in_loop(launches.fast_execute_sql)
        fast_transfer_file = in_loop(launches.fast_transfer_file)
        push_config_file = in_loop(launches.push_config_file)
        get_job_template_list = listed(stored_queries.get_job_template_list)
        get_job_plan_list = listed(stored_queries.get_job_plan_list)
        get_job_plan_detail = in_loop(stored_queries.get_job_plan_detail)
        get_account_list = listed(stored_queries.get_account_list)
        get_public_script_list = listed(stored_queries.get_public_script_list)
        get_script_list = listed(stored_queries.get_script_list)
        get_public_script_version_list = listed(stored_queries.get_public_script_version_list)
        get_script_version_list = listed(stored_queries.get_script_version_list)
        get_public_script_version_detail = in_loop(stored_queries.get_public_script_version_detail)
        get_script_version_detail = in_loop(stored_queries.get_script_version_detail)
        get_cron_list = listed(stored_queries.get_cron_list)
        get_cron_detail = in_loop(stored_queries.get_cron_detail)
        save_cron = in_loop(management.save_cron)
        update_cron_status = in_loop(management.update_cron_status)
        delete_cron = in_loop(management.delete_cron)
        check_script = in_loop(management.check_script)
        query_agent_info = in_loop(management.query_agent_info)
        get_file_source_detail = in_loop(management.get_file_source_detail)
        create_job_plan = in_loop(management.create_job_plan)
        get_job_template_detail = in_loop(management.get_job_template_detail)
        get_user_authorized_scopes = listed(management.get_user_authorized_scopes)
        get_step_instance_detail = in_loop(extra_operations.get_step_instance_detail)
        query_gse_task = in_loop(extra_operations.query_gse_task)
        query_job_instance = in_loop(extra_operations.query_job_instance)
        generate_local_file_upload_url = in_loop(extra_operations.generate_local_file_upload_url)
        get_script_task_context = in_loop(extra_operations.get_script_task_context)
        get_file_task_context = in_loop(extra_operations.get_file_task_context)
        bkci_plugin_fast_execute_script = in_loop(extra_operations.bkci_plugin_fast_execute_script)
        bkci_plugin_fast_transfer_file = in_loop(extra_operations.bkci_plugin_fast_transfer_file)
        bkci_plugin_get_job_instance_status = in_loop(extra_operations.bkci_plugin_get_job_instance_status)
        bkci_plugin_batch_get_job_instance_execute_object_log = in_loop(
            extra_operations.bkci_plugin_batch_get_job_instance_execute_object_log
        )
        # end


add_imported_methods(JobClient, client.IMPORTED, in_loop_or_listed)
