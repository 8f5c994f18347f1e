"""The operations of the platform under its own names, and what reads all pages or parts of one."""
