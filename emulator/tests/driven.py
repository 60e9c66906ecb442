"""What tests of driven browsers share: a site with what pages do to people, an agent that uses it, and jobs."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from people import ok

PAGES = {
    "/": """<title>Home</title><h1>Welcome</h1><p>Some <b>bold</b> text</p>
<a href=/form>Form</a> <a href="/slow?0.4">Slow</a> <a href=/blank target=_blank>Popup</a> <a href=/file>Download</a>
<a href=/gone>Missing</a> <a href="mailto:ada@example.com">Mail</a>
<button onclick="fetch('/data').then(r => r.json()).then(d => document.querySelector('output').textContent = d.said)">
Load</button><output></output>
<button onclick="alert('boo'); document.title = 'alerted'">Alert</button>
<button onclick="document.title = confirm('sure?') + ',' + prompt('name?', 'Ada')">Ask</button>
<button onclick="console.log('clicked %s', 'me', {a: 1}); throw new Error('oops')">Log</button>
<button onclick="window.close()">Close</button>
<button disabled>Off</button> <button style="visibility: hidden" aria-hidden=false>Ghost</button>
<button ondblclick="document.title = 'double'">Twice</button>
<div role=button tabindex=0 onmouseenter="document.title = 'hovered'">Hover me</div>
<div style="height: 3000px"></div><button onclick="document.title = 'bottom'">Bottom</button>""",
    "/form": """<title>Form</title><form action=/done>
<label>Name <input name=name value=old oninput="document.title = 'typed ' + this.value"></label>
<label>Secret <input type=password name=secret></label> <label>Age <input type=number name=age></label>
<label>Day <input type=date name=day></label> <label>Volume <input type=range name=volume max=10></label>
<label><input type=checkbox name=agree> Agree</label>
<label><input type=radio name=size value=s checked> Small</label>
<label><input type=radio name=size value=l> Large</label>
<label>Notes <textarea name=notes></textarea></label>
<label>Fruit <select name=fruit onchange="document.title = 'chose ' + this.value">
<option value=a>Apple<option value=b>Banana<option value=c disabled>Cherry</select></label>
<div role=textbox aria-label=Rich contenteditable>rich <b>text</b></div>
<label>Fixed <input readonly value=x></label> <label>Short <input maxlength=3></label>
<label>File <input type=file></label> <button>Send</button></form>""",
    "/frames": """<title>Frames</title><div style="height: 60px"></div><iframe src=/inner title=near></iframe>
<iframe src="http://localhost:PORT/inner" title=far style="margin: 20px; border: 7px solid red"></iframe>""",
    "/inner": """<title>Inner</title>
<button onclick="this.textContent = 'Pressed on ' + location.hostname">Press</button>
<input aria-label=Inside>
<iframe srcdoc="<button onclick='this.textContent = &quot;Deeper&quot;'>Deep</button>"></iframe>""",
    "/blank": "<title>Blank</title>nothing much",
    "/leave": """<title>Leave</title>
<button onclick="onbeforeunload = (event) => { event.preventDefault(); return 'stay' }">Arm</button>""",
    "/alerts": "<title>Alerts</title><script>alert('at load')</script><p>after</p>",
    "/never": "<title>Never</title><p>here already</p><img src=/hang>",
    "/redirected": "<title>Away</title><script>location.href = '/blank'</script>",
    "/covered": """<title>Covered</title><button onclick="document.title = 'no'">Under</button>
<div id=lid style="position: fixed; inset: 0"></div>""",
    "/shadow": """<title>Shadow</title><div id=host></div><script>
const root = host.attachShadow({mode: 'closed'});
root.innerHTML = '<button>Within</button>';
root.querySelector('button').onclick = () => document.title = 'reached';</script>""",
    "/late": "<title>Late</title><script>setTimeout(() => document.body.append('Arrived <at> last'), 300)</script>",
    "/restless": """<title>Restless</title><button>Go</button><p id=p></p>
<script>setInterval(() => p.textContent = Math.random(), 10)</script>""",
    "/visible": """<title>Visible</title><p id=p></p>
<script>requestAnimationFrame(() => p.textContent = document.visibilityState)</script>""",
    "/list": "<title>List</title><ul><li>one<li>two <b>bold</b><li>three</ul>",
}


class _Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        status, kind, body, headers = 200, "text/html; charset=utf-8", "", {}
        match path:
            case "/slow":
                time.sleep(float(query))
                body = "<title>Slow</title><p>finally</p>"
            case "/hang":
                self.server.ending.wait(60)
                self.close_connection = True
                return
            case "/data":
                time.sleep(0.2)
                kind, body = "application/json", json.dumps({"said": "loaded data"})
            case "/redirect":
                status, headers = 302, {"Location": "/blank"}
            case "/loop":
                status, headers = 302, {"Location": "/loop"}
            case "/file":
                kind, body, headers = (
                    "application/octet-stream",
                    "x",
                    {"Content-Disposition": "attachment; filename=f.bin"},
                )
            case "/empty":
                status = 204
            case "/done":
                body = f"<title>Done</title><p>{query}</p>"
            case _ if path in PAGES:
                body = f"<!doctype html>{PAGES[path].replace('PORT', str(self.server.server_port))}"
            case _:
                status, body = 404, "<title>Lost</title>not there"
        data = body.encode()
        self.send_response(status)
        for name, value in ({"Content-Type": kind} | headers).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Site)
        self.ending = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A browser that goes elsewhere leaves its connections behind."""


@contextmanager
def site() -> Iterator[str]:
    """The address of the site, without a slash at its end. `/hang` answers nothing until it closes."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.ending.set()
        server.shutdown()
        thread.join()


class Agent:
    """Someone who uses the tool `browser`, in the session that its first answer names."""

    def __init__(self, client: httpx.Client, **target: Any) -> None:
        self.client = client
        self.target = target

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The MCP result of a tool, good or bad."""
        given = {**self.target, "tool": tool, "arguments": arguments}
        params = {"name": "browser", "arguments": given}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        result: dict[str, Any] = ok(self.client.post("/v1/mcp", json=message))["result"]
        if "structuredContent" in result:
            told = result["structuredContent"]
            assert told["tool"] == tool
            self.target = {"session_id": told["session_id"]}
        return result

    def do(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The `result` of a tool that must have worked; its text says the same."""
        result = self.call(tool, **arguments)
        assert not result["isError"], result["content"]
        told: dict[str, Any] = result["structuredContent"]["result"]
        assert told["message"] in result["content"][0]["text"]
        assert self.target["session_id"] in result["content"][0]["text"]
        return told

    def failed(self, tool: str, /, **arguments: Any) -> str:
        """What a tool says that must have tried and failed."""
        result = self.call(tool, **arguments)
        assert result["isError"], result
        told: str = result["structuredContent"]["result"]["message"]
        assert told in result["content"][0]["text"]
        return told

    def wrong(self, tool: str, /, **arguments: Any) -> str:
        """What is said of arguments that no browser could take: an error of JSON-RPC."""
        params = {"name": "browser", "arguments": {**self.target, "tool": tool, "arguments": arguments}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        error = ok(self.client.post("/v1/mcp", json=message))["error"]
        assert error["code"] == -32602, error
        told: str = error["message"]
        return told

    def refused(self, tool: str, /, **arguments: Any) -> str:
        """What is said of arguments that must have been refused as things are in the browser."""
        result = self.call(tool, **arguments)
        assert result["isError"], result
        assert "structuredContent" not in result
        error = json.loads(result["content"][0]["text"])
        assert error["code"] == "invalid_request", error
        message: str = error["message"]
        return message

    def go(self, url: str) -> None:
        self.do("navigate_page", url=url)

    def uid(self, what: str) -> str:
        """The id of what a new snapshot lists as `button "Save"` or the like."""
        text = self.do("take_snapshot")["snapshot"]
        found = re.search(rf"uid=(\S+) {re.escape(what)}", text)
        assert found, f"no {what} in\n{text}"
        return found[1]

    def click(self, what: str) -> dict[str, Any]:
        return self.do("click", uid=self.uid(what))

    def value(self, function: str, *uids: str, **more: Any) -> Any:
        return self.do("evaluate_script", function=function, args=[{"uid": uid} for uid in uids], **more)["value"]

    @property
    def title(self) -> str:
        return str(self.value("() => document.title"))

    def pages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.do("list_pages")["pages"]
        return found


def queue(client: httpx.Client, kind: str, **given: Any) -> str:
    """The id of a new job."""
    return str(ok(client.post("/v1/jobs", json={"kind": kind, "input": given}))["id"])


def finished(client: httpx.Client, job: str) -> dict[str, Any]:
    """A job once it is final."""
    deadline = time.monotonic() + 60
    while True:
        told: dict[str, Any] = ok(client.get(f"/v1/jobs/{job}"))
        if told["status"] not in ("queued", "running"):
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def run(client: httpx.Client, kind: str, **given: Any) -> dict[str, Any]:
    """A job, from its start to its end."""
    return finished(client, queue(client, kind, **given))
