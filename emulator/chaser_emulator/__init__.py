"""A drop-in Chaser on localhost."""

__version__ = "0.1.0"
