"""Saved states: a whole world in one file, and a world made to be what a file holds.

`file` is the form of the file, `contents` the database in it, `secrets` what of its secrets travels along.
"""

from chaser_emulator.states.file import Manifest, SealedError, StateError, manifest_of, read
from chaser_emulator.states.moving import load, save

__all__ = ["KEPT", "Manifest", "SealedError", "StateError", "load", "manifest_of", "read", "save"]

KEPT = "states"
"""The folder of a data directory with what was kept there by name."""
