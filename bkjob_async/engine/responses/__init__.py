"""Apply responses to the states of jobs, steps and hosts."""
