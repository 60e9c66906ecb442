"""The contract as tests of pytest."""
