"""A store in a Redis server or cluster."""
