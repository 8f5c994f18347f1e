"""Bodiless reads over aiohttp's connections without its session."""
