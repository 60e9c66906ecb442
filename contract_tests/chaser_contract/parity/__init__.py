"""Parity: one sequence of calls on two Chasers, whose answers must be alike."""
