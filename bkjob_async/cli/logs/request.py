"""Which logs are asked for."""

from attrs import frozen


@frozen(kw_only=True)
class LogRequest:
    """The *hosts*, all without any, and only *failed* ones; *tail* limits the lines of each."""

    failed: bool = False
    hosts: tuple[str, ...] = ()
    tail: int | None = None
    as_json: bool = False
    interval: float = 2.0
