"""Which events one watch is given of a job: of its own targets, and of what changed before it was opened."""
