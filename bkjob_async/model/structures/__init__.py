"""Data structures: a cache, a lazy tuple; times from Unix milliseconds."""
