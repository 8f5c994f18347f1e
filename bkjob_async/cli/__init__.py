"""The roof: a command line over the public names; click and rich are used here and nowhere else."""
