"""What the views of responses amount to."""

import pytest

from bkjob_async.dialects.common.status_views import is_finished
from bkjob_async.model.status import RUN_CODES, run_status


@pytest.mark.parametrize("code", [*RUN_CODES, 16])
@pytest.mark.parametrize("flag", [True, False])
def test_the_servers_flag_is_believed(code: int, *, flag: bool) -> None:
    """Where the server says whether a job is finished, no table knows better."""
    assert is_finished(run_status(code), flag) is flag
