"""Examples of the guide, which tests run."""
