"""`chaser-contract sweep`: removes what runs that were cut short have left at a real service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import httpx

from chaser_contract.document import bundled
from chaser_contract.live import ledger as ledgers
from chaser_contract.live.ledger import Ledger, Unusable
from chaser_contract.live.patience import Patience
from chaser_contract.live.sweeping import Sweeper, Swept

_PER_SECOND = 10.0


def sweep(
    url: str,
    keys: Mapping[str, str],
    files: Iterable[Path] | None,
    tell: Callable[[str], None],
    *,
    alone: bool = False,
    transport: httpx.BaseTransport | None = None,
) -> Swept:
    """Remove what ledgers name, those of the user's data directory where no files are said.

    Raises Unusable for a file that was said and is no ledger, or is another service's; others are told and passed over.
    """
    total = Swept()
    chosen = files is not None
    document = bundled()
    with transport or httpx.HTTPTransport() as inner:
        patience = Patience(inner, lambda: time.sleep(1 / _PER_SECOND), time.sleep)
        sweeper = Sweeper(
            document,
            url,
            lambda request, operation, again: patience.send(request, document.operation(operation), again=again),
            keys,
            alone=alone,
        )
        for path in files if files is not None else list(ledgers.all_in(ledgers.folder())):
            try:
                ledger = _taken(path, url)
            except Unusable as error:
                if chosen:
                    raise
                tell(f"passed over: {error}")
                continue
            try:
                _sweep_one(sweeper, ledger, total, tell)
            finally:
                ledger.close()
    return total


def _taken(path: Path, url: str) -> Ledger:
    found = ledgers.load(path)
    if found.url != url:
        raise Unusable(f"{path}: it is about {found.url}, not {url}")
    return ledgers.resumed(path) if found.open else found


def _sweep_one(sweeper: Sweeper, ledger: Ledger, total: Swept, tell: Callable[[str], None]) -> None:
    swept = sweeper.sweep(ledger)
    for text in swept.removed:
        tell(f"removed {text}")
    for text in swept.left:
        tell(f"left    {text}")
    for text in swept.lasting:
        tell(f"lasting {text}")
    total.removed += swept.removed
    total.left += swept.left
    total.lasting += swept.lasting
