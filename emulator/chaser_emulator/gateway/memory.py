"""Memory that is free, given back to the machine."""

from __future__ import annotations

import contextlib
import ctypes
import sys


def give_back() -> None:
    """Return what the C library keeps of it after many buffers have come and gone; a matter of milliseconds.

    It keeps freed memory below anything that is still in use, which after a hundred busy connections is most of it.
    Other C libraries than that of Linux have no such call.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
