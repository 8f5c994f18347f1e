"""The command line, built on the public names; only this room uses click and rich."""
