"""Mutants: the emulator with one defect at a time, which a run has to find; the tests of the tests.

`declaring` says what a defect is, `planting` puts one into the emulator of this process and takes it out again,
`running` tries the promises on each, and `defects` has them, one module a class of complaint.
"""
