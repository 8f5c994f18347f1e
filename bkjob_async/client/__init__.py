"""The client: platform operations under their own names, and shortcuts that combine them."""
