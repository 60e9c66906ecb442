"""The lines that make a request of the journal once more: of curl, and of the official SDK for Python."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chaser_emulator import shell
from chaser_emulator.explaining.asking import CALLERS, FORM, KEY
from chaser_emulator.journal import Exchange
from chaser_emulator.paths import decode_segment
from chaser_emulator.repeating import python
from chaser_emulator.repeating.needs import Need, Needs
from chaser_emulator.repeating.python import Json, Sent, Text
from chaser_emulator.repeating.sending import sent_by
from chaser_emulator.spec import Spec
from chaser_emulator.store import identity
from chaser_emulator.world import World

_UPGRADE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "Y2hhc2VyLWVtdWxhdG9yIQ=="),
)
_LONGEST = 5
"""Seconds that a line of curl listens at a WebSocket."""


@dataclass(frozen=True)
class Lines:
    """What is typed to make a request again. `setup` makes the `client` of `sdk`, None where the SDK has no way."""

    curl: str
    sdk: str | None
    setup: str
    needs: list[Need]
    note: str | None = None

    def info(self) -> dict[str, Any]:
        """Its JSON."""
        shown: dict[str, Any] = {"curl": self.curl, "needs": [one.info() for one in self.needs]}
        if self.sdk is not None:
            shown |= {"sdk": self.sdk, "sdk_setup": self.setup}
        return shown if self.note is None else shown | {"note": self.note}


async def lines_of(world: World, exchange: Exchange, spec: Spec, base_url: str) -> Lines:
    """The lines for an exchange; nothing that is hidden in the journal is in them."""
    key = await identity.credential(world.store, world.api_key)
    needs = Needs(f"{exchange.path}?{exchange.query} {(exchange.sent or b'').decode('utf-8', 'replace')}")
    sent = sent_by(exchange, str(key["id"]) if key is not None else None, needs)
    operation = spec.operations.get(exchange.operation or "")
    names = needs.expressions
    setup = [
        "import json",
        "import os",
        "from chaser_sdk import ChaserClient",
        f'client = ChaserClient(base_url={base_url!r}, api_key=os.environ.get("CHASER_API_KEY"))',
    ]
    if exchange.upgraded or (operation is not None and operation.upgrades):
        note = f"It is a WebSocket: the line shows whether it opens, and what is said in the first {_LONGEST} seconds."
        options = ("-i", "-N", "--http1.1", "--max-time", str(_LONGEST))
        told = [*_titled(sent), *_UPGRADE]
        line = shell.curl(sent.method, base_url + sent.target, told, names=names, options=options)
        return Lines(line, None, "", needs.all, note)
    parameters = {name: decode_segment(value) for name, value in exchange.path_parameters.items()}
    call = python.line(operation, sent, parameters, named=names, answer="json" if _answers_json(exchange) else "bytes")
    lines = setup if call is None or "json." in call else setup[1:]
    # A name of ours in somebody's text is their text.
    in_body = () if isinstance(sent.content, bytes) else [name for name in names if name not in (KEY, CALLERS)]
    curl = shell.curl(
        sent.method, base_url + sent.target, _titled(sent), _body(sent, needs),
        names=names, body_names=in_body, options=("-i",),
    )  # fmt: skip
    return Lines(curl, call, "\n".join(lines), needs.all)


def _answers_json(exchange: Exchange) -> bool:
    """Whether the SDK can read the answer as JSON; it follows redirects, whose pages are none."""
    redirects = 300 <= (exchange.status or 0) < 400
    return not redirects and exchange.response_headers.get("content-type", "application/json").startswith(
        "application/json"
    )


def _titled(sent: Sent) -> list[tuple[str, str]]:
    """The headers as people write them; of a form curl says the type by itself."""
    return [
        (name.title(), value) for name, value in sent.headers.items() if not (name == "content-type" and value == FORM)
    ]


def _body(sent: Sent, needs: Needs) -> shell.Body:
    match sent.content:
        case Json(value):
            return needs.without_quotes(json.dumps(value, ensure_ascii=False))
        case Text(text):
            return text
        case other:
            return other
