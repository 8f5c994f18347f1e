"""Where every host of a step stands, packed."""
