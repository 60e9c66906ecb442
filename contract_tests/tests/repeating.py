"""Run as a program: prints each request that a small generated run makes, without what the emulator has drawn."""

from __future__ import annotations

import re
import sys

from chaser_contract.generated import trying
from chaser_contract.generated.carrying import Carried
from chaser_contract.generated.parts import ALONE, STATEFUL, Part
from chaser_contract.subject import Subject
from chaser_contract.targets import Where, opened

PART = Part("generated.keys", (*ALONE, *STATEFUL), tags=("keys",))

_DRAWN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|sk_\w+")


def main(seed: int) -> None:
    lines: list[str] = []

    def told(chaser: Subject, carried: Carried) -> None:
        exchange = carried.exchange
        sent = f"{exchange.method} {exchange.target} {dict(exchange.request_headers)} {exchange.request_body!r}"
        lines.append(_DRAWN.sub("*", f"{sent} {exchange.status}"))

    # All that it asks goes by here.
    vars(trying)["count"] = told
    with opened(Where(seed=seed, examples=5)) as target:
        outcome = trying.try_part(target, PART)
    assert outcome.status == "passed", outcome
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]))
