"""Data structures: a cache, a lazy tuple, quickly made frozen objects."""
