"""The way to the platform, step by step: what was found, and who must act."""
