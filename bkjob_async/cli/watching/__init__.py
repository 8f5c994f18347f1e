"""A watch on the command line: what reads it, what it amounts to, how it ends."""
