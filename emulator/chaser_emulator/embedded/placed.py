"""What a test puts in place, and what takes it away again: a word, or the end of a block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from chaser_emulator.embedded.asking import Refused


class InPlace(ABC):
    """What stays until it is removed, or the block ends that it is entered in."""

    @abstractmethod
    def remove(self) -> None:
        """Take it away; one that is gone already is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


@contextmanager
def unless_gone() -> Iterator[None]:
    """The block ends early, and well, where the emulator knows nothing any more of what it asks about."""
    try:
        yield
    except Refused as error:
        if error.code != "not_found":
            raise
