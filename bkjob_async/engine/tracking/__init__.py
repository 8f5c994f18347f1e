"""The state of a job and its steps, and how a response changes it."""
