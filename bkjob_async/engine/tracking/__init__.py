"""What is known of a job and its steps, and what a response changes in it."""
