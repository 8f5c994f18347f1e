"""What the platform does with each request."""
