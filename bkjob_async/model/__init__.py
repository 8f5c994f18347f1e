"""Facts, and what they are called: values only, no decision and no I/O."""
