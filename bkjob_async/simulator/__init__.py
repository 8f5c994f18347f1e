"""A stand-in for the platform, written from its documents."""
