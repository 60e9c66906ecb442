"""A drop-in Chaser on localhost."""

from importlib.metadata import version

__version__ = version("chaser-emulator")
