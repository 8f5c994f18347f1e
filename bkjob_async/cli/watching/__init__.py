"""A watch on the command line: its consumers, its outcome, and how it is resumed."""
