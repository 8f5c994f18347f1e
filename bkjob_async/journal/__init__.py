"""Where the records of fleets are stored, and who may append to them; what a record means is decided in `engine`."""
