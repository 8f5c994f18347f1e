"""Stores for the records of fleets, and who may append to them; what a record means is decided in `engine`."""
