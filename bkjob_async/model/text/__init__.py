"""Texts of the platform made safe to print, and small tables of HTML."""
