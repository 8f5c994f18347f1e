"""The fixtures for pytest under the name that installations before 0.2 look for."""

from bkjob_async.pytest_plugin import *  # noqa: F403
