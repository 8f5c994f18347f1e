"""What `bkjob fleet` does: a fleet in shards, managed, run and examined."""
