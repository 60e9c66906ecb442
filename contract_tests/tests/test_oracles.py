"""What promises are held by: a reader of streams that takes nothing else, and signatures as others make them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from chaser_contract.broken import Broken
from chaser_contract.receiver import Came, require_signed, signature
from chaser_contract.server_events import Followed
from standardwebhooks import Webhook

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
EXIT = 'event: exit\ndata: {"status": "exited", "exit_code": 0, "output_bytes": 2}\n\n'


def chunk(offset: int, data: str, event_id: int | None = None, encoding: str = "utf-8") -> str:
    told = json.dumps({"offset": offset, "encoding": encoding, "data": data})
    return f"id: {offset + len(data) if event_id is None else event_id}\nevent: output\ndata: {told}\n\n"


def test_a_stream_as_promised_is_read_to_its_end() -> None:
    told = Followed().read([f": alive\n\n{chunk(0, 'a')}{chunk(1, 'b')}{EXIT}".encode()])
    assert (told.output, told.ids, told.exit["output_bytes"]) == (b"ab", [1, 2], 2)


@pytest.mark.parametrize(
    "stream",
    [
        chunk(0, "ab"),
        chunk(0, "a") + chunk(2, "b") + EXIT,
        chunk(0, "a") + chunk(0, "a") + EXIT,
        chunk(0, "ab", event_id=1) + EXIT,
        chunk(0, "") + EXIT,
        chunk(0, "abcde") + EXIT,
        chunk(0, "YWI=", event_id=2, encoding="base64") + EXIT,
        chunk(0, "*", event_id=2, encoding="base64") + EXIT,
        chunk(0, "ab", encoding="latin-1") + EXIT,
        EXIT + chunk(0, "ab"),
        EXIT + EXIT,
        EXIT.removesuffix("\n"),
        EXIT.replace("exit\n", "end\n"),
        EXIT.replace('"exit_code": 0, ', ""),
        EXIT.replace("{", "["),
        EXIT.replace("event: exit", "what is this"),
        EXIT.replace("event: exit", "event: exit\nevent: exit"),
    ],
)
def test_a_stream_that_breaks_a_promise_is_told(stream: str) -> None:
    with pytest.raises(Broken):
        Followed(most=4).read([stream.encode()])


def test_signatures_are_those_of_the_standards_own_library() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    body = '{"id": "1", "data": "ü"}'.encode()
    made = signature(SECRET, "msg_1", str(int(at.timestamp())), body)
    assert made == Webhook(SECRET).sign("msg_1", at, body.decode())
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": made,
        "x-chaser-event": "a", "x-chaser-delivery": "b",
    }  # fmt: skip
    require_signed(Came("POST", "/", headers, body, 200), SECRET)
    for changed in ({**headers, "webhook-id": "msg_2"}, {**headers, "x-chaser-event": ""}):
        with pytest.raises(Broken):
            require_signed(Came("POST", "/", changed, body, 200), SECRET)
    with pytest.raises(Broken):
        require_signed(Came("POST", "/", headers, body + b" ", 200), SECRET)
