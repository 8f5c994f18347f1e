"""Poll what is watched, and deliver what changed; callbacks make it poll at once."""
