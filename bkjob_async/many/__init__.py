"""A fleet on many machines: targets in shards, each of which a process anywhere runs."""
