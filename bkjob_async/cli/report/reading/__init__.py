"""What was reported of a run, read from a journal or a file into the model of the run."""
