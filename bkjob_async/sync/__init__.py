"""A client for code without an event loop: the methods of `bkjob_async`, without `await`.

`factory.py` and `watch.py` are written by `python -m tests.generate`, as are the lines of operations in `client.py`.
"""

from bkjob_async.sync.checks import check
from bkjob_async.sync.client import JobClient
from bkjob_async.sync.factory import connect
from bkjob_async.sync.iterators import PagedList, Reader
from bkjob_async.sync.run_report import RunReport
from bkjob_async.sync.watch import Watch

__all__ = ["JobClient", "PagedList", "Reader", "RunReport", "Watch", "check", "connect"]
