"""Locks on files, of which the system lets go when their process ends, however it does."""

from __future__ import annotations

import sys


def lock(file: int, *, shared: bool = False) -> None:
    """Lock an open file until it is closed, or raise OSError at once: another holds it."""
    try:
        import fcntl
    except ImportError:
        _lock_first_byte(file)
    else:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _lock_first_byte(file: int) -> None:
    """What Windows has instead, where no lock is shared: who only looks holds it for a moment."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
