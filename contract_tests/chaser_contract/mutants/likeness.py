"""Likeness: which promises speak of what a defect's complaint speaks of, so that they are tried first."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

_ENDINGS = ("ing", "ed", "es", "s")


def ordered(text: str, known: Mapping[str, str]) -> list[str]:
    """The names of what is known, those first whose texts share the most, and the rarest, words with this one."""
    words = {name: _words(f"{name} {said}") for name, said in known.items()}
    common = Counter(word for each in words.values() for word in each)
    wanted = _words(text)

    def weight(name: str) -> float:
        return sum(math.log(len(known) / common[word]) + 0.01 for word in wanted & words[name])

    return sorted(known, key=weight, reverse=True)


def _words(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in re.findall(r"[a-z]{3,}", text.lower()))


def _stem(word: str) -> str:
    ending = next((one for one in _ENDINGS if word.endswith(one) and len(word) - len(one) >= 3), "")
    return word.removesuffix(ending)
