"""A page in the browser that shows a watch while it runs; it reads, and changes nothing."""
