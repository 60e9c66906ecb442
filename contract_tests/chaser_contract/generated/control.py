"""The control plane of an emulator, held against its own document."""

from __future__ import annotations

import functools
from contextlib import ExitStack

import httpx
from chaser_emulator.control import plane

from chaser_contract import conformance, expectations
from chaser_contract.document import Document
from chaser_contract.findings import Outcome
from chaser_contract.generated import engine
from chaser_contract.generated.carrying import Carrier, session_of
from chaser_contract.generated.easing import eased
from chaser_contract.generated.parts import Part
from chaser_contract.generated.trying import count, general, outcome_of, run
from chaser_contract.subject import Subject
from chaser_contract.targets import Target, opened

WAITING = ("watch-events", "expect-webhook", "receive-at-sink")
"""What goes on for as long as somebody watches, waits for what does not come, or takes its time as it was told to."""

LARGE = ("add-fault", "load-faults", "add-stub", "load-stubs", "provoke")
"""What takes so much that trying each bound of it is more than half of a run."""

_PREFIX = "/_emulator"

_KNOWN = {"header.X-Chaser-World": "default", "query.world": "default", "query.wait": 0}
"""A world that is made up is there for no operation, which would be all that is found out."""


@functools.cache
def document() -> Document:
    """Its document."""
    return Document(plane.load())


def try_part(target: Target, part: Part) -> Outcome:
    """What comes of it, on an emulator of its own: worlds are deleted, and others put back."""
    own = document()
    operations = [name for name in own.operations if name not in WAITING]
    with ExitStack() as stack:
        whole = stack.enter_context(opened(target.where))
        # Where as many sessions could be begun as nobody begins, nothing would lead to the limit of a plan.
        other = whole if whole.limited is None else whole.limited()
        http = stack.enter_context(httpx.Client(base_url=other.url, transport=other.transport))
        chaser = Subject(
            part=part.name, document=own, http=http, api_key=other.api_key, emulator=other.emulator, url=other.url,
            seed=target.where.seed_of(part.name), examples=target.where.examples,
        )  # fmt: skip
        carrier = Carrier(own, http, lambda carried: count(chaser, carried), check=conformance.form, prefix=_PREFIX)
        meant = expectations.as_config(expectations.load(expectations.CONTROL))
        known = {one["include-operation-id"]: one for one in meant}
        for name in LARGE:
            known.setdefault(name, {"include-operation-id": name})["phases"] = {"coverage": {"enabled": False}}
        config = {
            **general(chaser, part),
            "base-url": other.url + _PREFIX,
            "parameters": _KNOWN,
            "operations": list(known.values()),
        }
        stream = engine.events(eased(own.spec.document), config, session_of(carrier), operations, part.phases)
        return outcome_of(chaser, part, run(chaser, part, stream))
