"""An emulator inside the program that tests, and handles on its worlds; all by the control plane."""
