"""Data structures: a bounded cache, and a tuple whose items are made when they are read."""
