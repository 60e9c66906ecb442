"""Contract tests: one document, checked against the emulator and the real API."""
