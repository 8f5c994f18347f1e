"""How each of the platform's API dialects is spoken; one file each, one model."""
