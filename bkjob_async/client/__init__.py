"""What people import: platform operations under their own names, and a few verbs above them."""

from bkjob_async.client.calling import Priority
from bkjob_async.client.connecting import connect
from bkjob_async.client.job_client import JobClient
from bkjob_async.client.listing import JobInstances
from bkjob_async.client.log_gathering import GatheredLogs
from bkjob_async.client.paged_list import PagedList

__all__ = ["GatheredLogs", "JobClient", "JobInstances", "PagedList", "Priority", "connect"]
