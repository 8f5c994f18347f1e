"""The stores that fleets in shards are tested with: those of the journals' own contract."""

from tests.journal.conftest import place, redis_cluster, redis_server

__all__ = ["place", "redis_cluster", "redis_server"]
