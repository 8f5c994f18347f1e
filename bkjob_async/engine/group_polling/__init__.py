"""Reading a large step by the sizes of its groups."""
