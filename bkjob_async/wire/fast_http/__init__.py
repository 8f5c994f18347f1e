"""GET requests over connections of its own, whose responses llhttp parses: the path of polls."""
