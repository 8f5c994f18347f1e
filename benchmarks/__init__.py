"""What things cost, measured: plain functions, one table each, everything as a ratio to something beside it."""
