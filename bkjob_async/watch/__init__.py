"""Ask, tell, ask again, until nothing is left."""
