"""The events of one watch, and those who read them."""
