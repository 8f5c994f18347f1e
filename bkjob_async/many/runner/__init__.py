"""What runs one shard of a fleet, beside other runners."""
