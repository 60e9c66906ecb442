"""Drift: the bundled document against another version of it, and what that means for clients."""
