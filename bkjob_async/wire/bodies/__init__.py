"""Response bodies: read whole, decompressed, within bounds of memory and time."""
