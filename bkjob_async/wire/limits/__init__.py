"""When a request may go out."""
