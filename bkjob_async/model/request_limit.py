"""The limits that may hold up the requests of a client."""

from enum import StrEnum


class RequestLimit(StrEnum):
    """The limit that holds up requests: the client's own ones by the names of their options, and the platform's."""

    MAX_IN_FLIGHT = "max_in_flight"
    CONNECTIONS = "connections"
    REQUESTS_PER_SECOND = "requests_per_second"
    SLOW_PLATFORM = "slow platform"
    GATEWAY_QUOTA = "gateway quota"
