"""Driving a browser as an agent does: its pages, what is on them, and what a person would do with that."""

from __future__ import annotations


class NotDone(Exception):
    """Something could not be done in the browser. The text says why, and what to do instead, for a model to read."""
