"""The combinations that a job's `strategy.matrix` stands for, and the one that was registered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from chaser_emulator.work.coercions import text_of
from chaser_emulator.work.workflow_yaml import WorkflowError

_MOST = 256
"""How many jobs GitHub makes of one matrix at most."""

Combination = dict[str, Any]


def chosen(matrix: Any, given: Mapping[str, Any] | None, where: str) -> Combination:
    """The combination of a matrix that has the values given. `where` names the matrix. Raises WorkflowError."""
    if not given:
        raise WorkflowError(f"{where} makes several jobs of one; register this one with the values of its `matrix`")
    if _is_open(matrix):
        # What an expression stands for is settled before a job reaches a runner.
        return dict(given)
    known = _all(matrix, where)
    fitting = [one for one in known if all(name in one and _same(one[name], value) for name, value in given.items())]
    exact = [one for one in fitting if one.keys() == given.keys()]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if not fitting:
        raise WorkflowError(f"{where} has no combination with {_shown(given)}; it has {_listed(known)}")
    raise WorkflowError(f"{where} has several combinations with {_shown(given)}: {_listed(fitting)}")


def _is_open(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_open(one) for one in value.values())
    if isinstance(value, list):
        return any(_is_open(one) for one in value)
    return isinstance(value, str) and "${{" in value


def _all(matrix: Any, where: str) -> list[Combination]:
    if not isinstance(matrix, dict) or not matrix:
        raise WorkflowError(f"{where} must be a mapping of names to lists of values")
    axes = {name: values for name, values in matrix.items() if name not in ("include", "exclude")}
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise WorkflowError(f"{where}.{name} must be a list of values")
    if math.prod(len(values) for values in axes.values()) > _MOST:
        raise WorkflowError(f"{where} has more than {_MOST} combinations")
    found = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
    for entry in _entries(matrix, "exclude", where):
        found = [one for one in found if not all(_same(one.get(name), value) for name, value in entry.items())]
    return _included(found, axes, _entries(matrix, "include", where))


def _included(found: list[Combination], axes: Mapping[str, Any], entries: Sequence[Combination]) -> list[Combination]:
    """Each entry is added to the combinations whose own values it leaves alone; to none, it is one more."""
    more = []
    for entry in entries:
        fitting = [one for one in found if all(_same(one[name], entry[name]) for name in axes if name in entry)]
        for one in fitting:
            one.update({name: value for name, value in entry.items() if name not in axes})
        if not fitting:
            more.append(dict(entry))
    return found + more


def _entries(matrix: Mapping[str, Any], name: str, where: str) -> list[Combination]:
    entries = matrix.get(name) or []
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise WorkflowError(f"{where}.{name} must be a list of mappings")
    return entries


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one: 3.12 and "3.12" are."""
    if isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
        return bool(one == other)
    return text_of(one) == text_of(other)


def _shown(combination: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_text(value)}" for name, value in combination.items())


def _listed(combinations: Sequence[Combination]) -> str:
    rest = f" and {len(combinations) - 10} more" if len(combinations) > 10 else ""
    return "; ".join(_shown(one) for one in combinations[:10]) + rest if combinations else "none"


def _text(value: Any) -> str:
    return str(value) if isinstance(value, (dict, list)) else text_of(value)
