"""The capabilities of a dialect, as a value for decisions."""

from msgspec import Struct


class Capabilities(Struct, frozen=True, kw_only=True):
    """What the responses of a dialect have, and how large its requests may be.

    *step_status*: a single step can be requested, with all its hosts. *job_rows_on_request*: host rows of a
    job must be requested; False where every job status has them. *groups*: responses about steps count hosts
    by status and tag. *log_hosts*: how many hosts' logs one request may ask for, *list_length* how long a page
    of the list of job instances may be, 0 where there is no such operation. *config_file_callback*:
    `push_config_file` can have a callback URL.
    """

    step_status: bool
    job_rows_on_request: bool
    groups: bool
    log_hosts: int = 0
    list_length: int = 0
    config_file_callback: bool = True
