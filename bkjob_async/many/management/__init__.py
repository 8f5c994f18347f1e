"""What is done with a fleet as a whole: it is copied, and removed."""
