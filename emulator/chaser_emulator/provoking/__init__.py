"""Refusals on demand: real state in which an operation of the document really refuses with the code that is wanted."""
