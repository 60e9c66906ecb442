"""Requests that were made, once more: as lines to be typed, and sent again."""
