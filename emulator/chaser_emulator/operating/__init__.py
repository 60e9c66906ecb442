"""The commands that a running emulator carries out, made from the document of its control plane."""
