"""The state of a job and its steps, and which request can show a change of it."""
