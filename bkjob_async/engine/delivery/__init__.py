"""The selection of a job's events for one watch: those of its targets, and what its journal does not have yet."""
