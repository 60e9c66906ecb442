"""An emulator inside the program that tests, and handles on its worlds, which ask the control plane."""

from chaser_emulator.embedded.asking import Refused
from chaser_emulator.embedded.chaser import Chaser
from chaser_emulator.embedded.emulator import Emulator
from chaser_emulator.embedded.exchanges import Exchange
from chaser_emulator.embedded.transport import ChaserTransport
from chaser_emulator.embedded.twins import AsyncChaser

__all__ = ["AsyncChaser", "Chaser", "ChaserTransport", "Emulator", "Exchange", "Refused"]
