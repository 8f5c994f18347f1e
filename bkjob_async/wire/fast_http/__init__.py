"""An optional path for GET requests that bypasses aiohttp's `ClientSession` but uses its connections."""
