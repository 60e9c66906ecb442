"""The requests of what failed, in the form that browsers and proxies read (HAR 1.2); nothing of what passed."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

import harfile
from chaser_emulator import __version__

from chaser_contract.exchanges import Exchange, header
from chaser_contract.running import Report


def written(report: Report) -> str:
    """The text of the file."""
    text = io.StringIO()
    with harfile.HarFile.open(text, creator=harfile.Creator("chaser-contract", __version__)) as file:
        for finding in report.findings:
            for place, exchange in enumerate(finding.steps, 1):
                shows = place == len(finding.steps)
                comment = finding.promise if shows else f"step {place} of {len(finding.steps)}: {finding.promise}"
                add(file, exchange, report.url, comment)
    return text.getvalue()


def add(file: harfile.HarFile, exchange: Exchange, url: str, comment: str | None = None) -> None:
    """Add one exchange. A body that is no UTF-8 is in base64."""
    milliseconds = exchange.seconds * 1000
    request_type = header(exchange.request_headers, "content-type")
    file.add_entry(
        startedDateTime=datetime.fromtimestamp(exchange.at, UTC),
        time=milliseconds,
        request=harfile.Request(
            method=exchange.method,
            url=url + exchange.target,
            httpVersion="HTTP/1.1",
            headers=_records(exchange.request_headers),
            queryString=_query(exchange.target),
            postData=_sent(exchange.request_body, request_type) if exchange.request_body else None,
            bodySize=len(exchange.request_body),
        ),
        response=harfile.Response(
            # HAR has no word for an answer that did not come; browsers write 0.
            status=exchange.status or 0,
            statusText=_phrase(exchange.status),
            httpVersion="HTTP/1.1",
            headers=_records(exchange.headers),
            content=_content(exchange.body, exchange.headers.get("content-type", "")),
            redirectURL=exchange.headers.get("location", ""),
            bodySize=len(exchange.body),
            comment=exchange.trouble,
        ),
        timings=harfile.Timings(send=0, wait=milliseconds, receive=0),
        comment=comment,
    )


def _sent(body: bytes, media_type: str) -> harfile.PostData:
    try:
        return harfile.PostData(mimeType=media_type, text=body.decode())
    except UnicodeDecodeError:
        return harfile.PostData(mimeType=media_type, text=base64.b64encode(body).decode(), comment="base64")


def _content(body: bytes, media_type: str) -> harfile.Content:
    try:
        return harfile.Content(size=len(body), mimeType=media_type, text=body.decode())
    except UnicodeDecodeError:
        text = base64.b64encode(body).decode()
        return harfile.Content(size=len(body), mimeType=media_type, text=text, encoding="base64")


def _records(headers: Mapping[str, str]) -> list[harfile.Record]:
    return [harfile.Record(name=name, value=value) for name, value in headers.items()]


def _query(target: str) -> list[harfile.Record]:
    pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    return [harfile.Record(name=name, value=value) for name, value in pairs]


def _phrase(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""
