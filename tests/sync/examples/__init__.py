"""Programs of the guide that have no event loop."""
