"""Data structures: a bounded cache, a tuple whose items are made when they are read, times from Unix numbers."""
