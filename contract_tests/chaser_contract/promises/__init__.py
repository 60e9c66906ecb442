"""Promises: what Chaser promises beyond the form of each answer, each a function with a name that can be chosen.

A module here holds those of one subject. A promise is a function that takes a Subject; the first line of its docstring
says what is promised, its name is `<module>.<function>` with hyphens.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from chaser_contract.subject import Subject

Need = Literal["emulator", "peer", "commands", "sockets", "limits"]
"""What a promise takes: a target that can be steered, another user, commands that really run, WebSockets, plans that
allow no more sessions than they say.
"""

Check = Callable[[Subject], None]


@dataclass(frozen=True)
class Promise:
    """One promise. `stateful` ones lead from state to state, as a machine does.

    `writes` False: it changes nothing, and so may be tried on a service that is only to be read.
    """

    name: str
    says: str
    check: Check
    needs: frozenset[Need]
    stateful: bool
    writes: bool

    @property
    def subject(self) -> str:
        """The module that it is in: what it is about."""
        return self.name.partition(".")[0]


_found: dict[str, Promise] = {}


def promise(*needs: Need, stateful: bool = False, writes: bool = True) -> Callable[[Check], Check]:
    """Register a promise under the name of its function."""

    def register(check: Check) -> Check:
        module = check.__module__.rpartition(".")[2]
        name = f"{module}.{check.__name__}".replace("_", "-")
        says = (inspect.getdoc(check) or "").partition("\n")[0]
        if not says:
            raise TypeError(f"{name}: the first line of its docstring has to say what is promised")
        if name in _found:
            raise TypeError(f"there are two promises called {name}")
        _found[name] = Promise(name, says, check, frozenset(needs), stateful, writes)
        return check

    return register


def load() -> Mapping[str, Promise]:
    """All promises by name, in the order of modules and of what stands in them."""
    for module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
    return dict(_found)
