"""Texts of the platform: read as JSON, made safe to print, and in small tables of HTML."""
