"""A stand-in for the platform, written from its documents: one world, two doors."""
