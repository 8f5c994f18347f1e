"""What the methods of a client return: the platform's responses as frozen classes."""

from bkjob_async.client.operations.batch_logs import GatheredLogs
from bkjob_async.client.operations.paged_list import PagedList
from bkjob_async.model.operations.base import OperationAccepted
from bkjob_async.model.operations.details import (
    Account,
    FileDetail,
    FileSourceDetail,
    GseTask,
    LocalFileUpload,
    ScriptDetail,
    StepDetail,
    TaskContextField,
)
from bkjob_async.model.operations.management import (
    AgentInfo,
    AuthorizedScope,
    ScriptCheckItem,
    StoredFileSource,
)
from bkjob_async.model.operations.responses import (
    Envelope,
    FileLog,
    HostLog,
    JobInstance,
    JobLaunch,
    Page,
    StepLogs,
    StepVariables,
    Variable,
)
from bkjob_async.model.operations.stored_items import (
    CronJob,
    JobPlan,
    JobTemplate,
    PlanStep,
    PlanVariable,
    Script,
    ScriptVersion,
    StoredAccount,
)

__all__ = [
    "Account",
    "AgentInfo",
    "AuthorizedScope",
    "CronJob",
    "Envelope",
    "FileDetail",
    "FileLog",
    "FileSourceDetail",
    "GatheredLogs",
    "GseTask",
    "HostLog",
    "JobInstance",
    "JobLaunch",
    "JobPlan",
    "JobTemplate",
    "LocalFileUpload",
    "OperationAccepted",
    "Page",
    "PagedList",
    "PlanStep",
    "PlanVariable",
    "Script",
    "ScriptCheckItem",
    "ScriptDetail",
    "ScriptVersion",
    "StepDetail",
    "StepLogs",
    "StepVariables",
    "StoredAccount",
    "StoredFileSource",
    "TaskContextField",
    "Variable",
]
