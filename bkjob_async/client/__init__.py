"""What people import: platform operations under their own names, and a few verbs above them."""

from bkjob_async.client.batch_logs import GatheredLogs
from bkjob_async.client.caller import Priority
from bkjob_async.client.client import JobClient
from bkjob_async.client.factory import connect
from bkjob_async.client.job_list import JobInstances
from bkjob_async.client.paged_list import PagedList

__all__ = ["GatheredLogs", "JobClient", "JobInstances", "PagedList", "Priority", "connect"]
