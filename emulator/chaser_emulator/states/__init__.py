"""Saved states: a whole world in one file, and a world made to be what a file holds.

`file` is the form of the file, `contents` the database in it, `secrets` what of its secrets travels along.
"""

from chaser_emulator.states.file import Manifest, StateError
from chaser_emulator.states.moving import load, save

__all__ = ["Manifest", "StateError", "load", "save"]
