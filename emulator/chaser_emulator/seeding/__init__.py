"""Seeds: files that say what is to be in a world, read, checked and applied.

Everything that is in a seed is there afterwards, or nothing of it: what is wrong is told before anything happens, or
taken back. Names that something has already are refused, so that a seed is not applied twice.
"""
