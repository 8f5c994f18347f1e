"""What a stream amounts to: how each event changes the state of a job, and the state of a whole stream."""
