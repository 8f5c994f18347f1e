"""The life of every simulated job as a function of time."""
