"""The way to the platform: transports and the session on top of them."""
