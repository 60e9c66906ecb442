"""One part of a run in which Schemathesis makes up the requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import requests
from schemathesis.engine import events

from chaser_contract import expectations
from chaser_contract.broken import Broken, NotTried
from chaser_contract.exchanges import Exchange
from chaser_contract.findings import Outcome
from chaser_contract.generated import engine, telling
from chaser_contract.generated.carrying import CARRIED, Carried, Carrier, session_of
from chaser_contract.generated.easing import eased
from chaser_contract.generated.furnishing import furnish
from chaser_contract.generated.parts import Part
from chaser_contract.subject import Subject
from chaser_contract.targets import Target

_STEPS = 10
"""Requests in a sequence at most."""

_CONTROLS = "".join(map(chr, [*range(32), 127]))
"""What no client sends in a header."""


def try_part(target: Target, part: Part) -> Outcome:
    """What comes of it on a target."""
    with target.subject(part.name, stateful="stateful" in part.phases) as chaser:
        operations = part.operations(chaser.document)
        document = eased(chaser.document.spec.document)
        alone = "stateful" not in part.phases and not part.reading
        accounts = furnish(chaser, document, operations) if alone else {}
        carrier = Carrier(chaser.document, chaser.http, lambda carried: count(chaser, carried), patient=True)
        config = {
            **general(chaser, part),
            "headers": {"Authorization": f"Bearer {chaser.api_key}"},
            "operations": _operations(accounts),
        }
        fresh = None if chaser.emulator is None else chaser.emulator.reset
        stream = engine.events(document, config, session_of(carrier), operations, part.phases, fresh)
        errors = run(chaser, part, stream, elsewhere=target.where.url is not None)
        return outcome_of(chaser, part, errors)


def general(chaser: Subject, part: Part) -> dict[str, Any]:
    """What holds for a run over any document, in the words of a `schemathesis.toml`."""
    return {
        "seed": chaser.seed,
        "base-url": chaser.url,
        # A machine that is busy makes data slowly; that says nothing of the API.
        "suppress-health-check": ["too_slow"],
        "generation": {
            "max-examples": max(1, round(chaser.examples * part.times)),
            "database": "none",
            "exclude-header-characters": _CONTROLS,
        },
        "phases": {
            "stateful": {"max-steps": _STEPS},
            # Nobody knows what a method does that no operation has.
            **({"coverage": {"unexpected-methods": []}} if part.reading else {}),
        },
    }


def run(chaser: Subject, part: Part, stream: Any, *, elsewhere: bool = False) -> list[str]:
    """Go through what happens; findings are the subject's, and what went wrong by itself is answered.

    A target that is `elsewhere` takes repositories and images from where it was told to, which may not answer.
    """
    errors: list[str] = []
    with closing(stream):
        for event in stream:
            if isinstance(event, events.ScenarioFinished):
                for broken, steps in telling.told(chaser.document, event):
                    if elsewhere and steps and is_of_another_server(steps[-1]):
                        chaser.left_out.append("repositories and images have to be within reach of the target")
                        continue
                    chaser.found(broken, steps=steps)
            elif isinstance(event, events.NonFatalError):
                if not _is_told(chaser, event.value):
                    errors.append(f"{event.label}: {event.info.title}: {event.info.message}")
            elif isinstance(event, events.FatalError):
                errors.append(repr(event.exception))
    return errors


def outcome_of(chaser: Subject, part: Part, errors: list[str]) -> Outcome:
    """The outcome, from what the subject has."""
    status = "error" if errors else "failed" if chaser.findings else "passed"
    reason = "\n".join(errors) or "; ".join(list(dict.fromkeys(chaser.left_out))[:3])
    return Outcome(
        part.name, status, reason, list(chaser.findings), dict(chaser.seen), chaser.requests
    )  # fmt: skip


def is_of_another_server(exchange: Exchange) -> bool:
    """Whether an answer says that it lacks what only somebody else's server has."""
    if exchange.status not in (503, 504):
        return False
    try:
        told = exchange.json
    except ValueError:
        return False
    if not isinstance(told, dict) or told.get("code") not in ("sandbox_unavailable", "gateway_timeout"):
        return False
    return re.search(r"\bserver of repository\b|\bimage '", str(told.get("message")), re.IGNORECASE) is not None


def _is_told(chaser: Subject, error: Exception) -> bool:
    """Whether an error is that nothing was asked, or not answered, which is a finding as any other."""
    if isinstance(error, NotTried):
        chaser.left_out.append(str(error))
        return True
    request = getattr(error, "request", None)
    carried = CARRIED.get(request) if isinstance(request, requests.PreparedRequest) else None
    if carried is None:
        return False
    broken = carried.broken or Broken(
        "every request is answered", str(carried.exchange.trouble or error), exchange=carried.exchange, kind="no-answer"
    )
    chaser.found(broken, steps=[carried.exchange])
    return True


def count(chaser: Subject, carried: Carried) -> None:
    """Count an exchange, and keep what is wrong with its answer."""
    chaser.saw(carried.exchange)
    if carried.broken is not None:
        # Schemathesis finds it as well, with all that led to it; not so in what its own checks ask.
        chaser.found(carried.broken, steps=[carried.exchange])


def _operations(accounts: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is meant of single operations, and in which accounts they are asked."""
    found = {one["include-operation-id"]: one for one in expectations.as_config(expectations.load())}
    for name, account in accounts.items():
        entry = found.setdefault(name, {"include-operation-id": name})
        entry["headers"] = {"X-Chaser-Account": account}
    return list(found.values())
