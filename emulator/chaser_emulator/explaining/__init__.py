"""Why a request was refused: which rule of the document did it, with which value, and what would have passed."""

from chaser_emulator.explaining.explaining import explain
from chaser_emulator.explaining.explanation import Explanation
from chaser_emulator.explaining.telling import told

__all__ = ["Explanation", "explain", "told"]
