"""What the library does, told to whoever wants to know."""
