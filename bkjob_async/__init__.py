"""Watch BlueKing Job instances from asyncio: start, watch and steer jobs over thousands of hosts."""

from importlib.metadata import version

__version__ = version("bkjob-async")
