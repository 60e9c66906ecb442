"""Apps in a sandbox that listen on a port: one of a stub, or one of ours where commands really run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from chaser_contract.broken import NotTried
from chaser_contract.exchanges import Exchange
from chaser_contract.sandboxes import begin, run, session, stubbed
from chaser_contract.subject import Subject
from chaser_contract.transfers import put
from chaser_contract.waiting import eventually

PORT = 4180
"""The port of a stub."""


@contextmanager
def app(chaser: Subject) -> Iterator[tuple[str, int]]:
    """A session in which an app listens that tells what it was asked, and its port."""
    with session(chaser) as one:
        if stubbed(chaser, {"command": "serve", "runs": "forever", "ports": [{"port": PORT, "echo": "http"}]}):
            begin(chaser, one["id"], "serve")
            yield one["id"], PORT
        else:
            yield one["id"], serve(chaser, one["id"])


def serve(chaser: Subject, session_id: str) -> int:
    """Run the app of ours in a sandbox where commands really run; its port."""
    if run(chaser, session_id, "command -v python3").json["exit_code"] != 0:
        raise NotTried("it takes python3 in the sandbox")
    source = (resources.files("chaser_contract") / "preview_app.py").read_bytes()
    put(chaser.client, session_id, "preview_app.py", source).must_be(200)
    command = begin(chaser, session_id, "python3 preview_app.py")
    told = eventually(
        lambda: chaser.ask("get-session-command", id=session_id, cid=command, expect=200),
        lambda answer: "listening" in answer.json.get("output", ""),
        "get-session-command: what a server writes is told while it runs",
    )
    return int(told.json["output"].split()[1])


def send(chaser: Subject, method: str, target: str, headers: dict[str, str], content: bytes) -> Exchange:
    """What a request to the gateway is answered with, which needs no key."""
    request = chaser.http.build_request(method, target, content=content, headers=headers)
    return chaser.client.send(request)


def is_(chaser: Subject, found: object, due: object, promised: str) -> None:
    """Raise Broken about the gateway unless what was found is what is due."""
    chaser.require(found == due, f"gateway: {promised}", f"{_short(found)} and not {_short(due)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:120]}…{text[-60:]} ({len(text)} characters)"
