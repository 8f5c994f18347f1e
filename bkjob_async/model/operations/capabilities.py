"""What a dialect can be asked, as a value that decisions may depend on."""

from attrs import frozen


@frozen(kw_only=True)
class Capabilities:
    """The questions that a dialect has answers to.

    *step_status*: a step can be asked for itself, and all its hosts come. *job_rows_on_request*: host
    rows of a job must be asked for; False where every job status carries them. *groups*: step answers count hosts by
    status and tag. *containers*: container hosts are visible. *job_list*: job instances can be listed. *log_hosts*: how
    many hosts' logs one question may ask for, *list_length* how long a page of the list may be, 0 where there is no
    such question. *config_file_callback*: `push_config_file` can name a URL to call back.
    """

    step_status: bool
    job_rows_on_request: bool
    groups: bool
    containers: bool = False
    job_list: bool = False
    log_hosts: int = 0
    list_length: int = 0
    config_file_callback: bool = True
