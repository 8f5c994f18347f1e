"""Reading of runs: the model of a run, filled from a journal or a file."""
