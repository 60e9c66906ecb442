"""The report for people: one page that needs nothing else, and runs no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaser_contract import evidence
from chaser_contract.document import Document, bundled
from chaser_contract.exchanges import Exchange
from chaser_contract.findings import Finding, Outcome
from chaser_contract.reports.lines import again_line, curl_line, sdk_line
from chaser_contract.running import Report

if TYPE_CHECKING:
    from jinja2 import Template

_LONGEST = 4000
"""Characters of a body that the page shows; the JSON report has all."""


@dataclass(frozen=True)
class Shown:
    """A finding with the lines that repeat it: its last request by curl and the SDK, and the part that found it."""

    finding: Finding
    curl: str | None
    sdk: str | None
    again: str


@dataclass(frozen=True)
class Status:
    """One status of an operation, and the axes on which it was seen."""

    number: int
    axes: Sequence[str]
    reason: str


@dataclass(frozen=True)
class Tagged:
    """The operations of a tag, each with its statuses."""

    tag: str
    rows: Sequence[tuple[str, Sequence[Status]]]


@dataclass(frozen=True)
class Subjects:
    """The parts of one subject."""

    name: str
    outcomes: Sequence[Outcome]

    @property
    def seconds(self) -> float:
        return sum(one.seconds for one in self.outcomes)

    @property
    def requests(self) -> int:
        return sum(one.requests for one in self.outcomes)

    def count(self, status: str) -> int:
        """How many parts ended so."""
        return sum(one.status == status for one in self.outcomes)

    @property
    def quiet(self) -> bool:
        """Whether nobody has to look."""
        return not self.count("failed") and not self.count("error")


def written(report: Report) -> str:
    """The text of the page."""
    document = bundled()
    rows = evidence.of_run(document, report.seen, live=report.where.profile == "live")
    return _template().render(
        report=report,
        findings=[_shown(one, report) for one in report.findings],
        broken=[one for one in report.outcomes if one.status == "error"],
        tags=_by_tag(document, rows),
        subjects=_by_subject(report.outcomes),
        requests=sum(one.requests for one in report.outcomes),
        seen=sum(len(row.declared) - len(row.unseen) for row in rows),
        declared=sum(len(row.declared) for row in rows),
        request_text=request_text,
        answer_text=answer_text,
    )


def _shown(finding: Finding, report: Report) -> Shown:
    lines = curl_line(finding, report.url), sdk_line(bundled(), finding.exchange)
    return Shown(finding, *lines, again_line(report.where, finding.part))


def request_text(exchange: Exchange) -> str:
    """A request as it goes over the wire."""
    lines = [f"{exchange.method} {exchange.target}"]
    lines += [f"{name}: {value}" for name, value in exchange.request_headers.items()]
    return "\n".join(lines) + _body(exchange.request_body)


def answer_text(exchange: Exchange) -> str:
    """An answer as it comes."""
    if exchange.status is None:
        return exchange.trouble or "no answer"
    lines = [str(exchange.status), *(f"{name}: {value}" for name, value in exchange.headers.items())]
    return "\n".join(lines) + _body(exchange.body)


def _body(raw: bytes) -> str:
    if not raw:
        return ""
    text = raw[: _LONGEST * 4].decode("utf-8", "backslashreplace")
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(raw)} bytes)"
    return f"\n\n{shown}"


def _by_tag(document: Document, rows: Iterable[evidence.Row]) -> list[Tagged]:
    tags: dict[str, list[tuple[str, list[Status]]]] = {}
    for row in rows:
        statuses = [
            Status(
                status,
                [axis for axis in evidence.AXES[1:] if status in getattr(row, axis)],
                row.reasons.get(status, ""),
            )
            for status in row.declared
        ]
        tags.setdefault(document.operations[row.operation].tag, []).append((row.operation, statuses))
    return [Tagged(tag, found) for tag, found in tags.items()]


def _by_subject(outcomes: Iterable[Outcome]) -> list[Subjects]:
    subjects: dict[str, list[Outcome]] = {}
    for one in outcomes:
        subjects.setdefault(one.part.partition(".")[0], []).append(one)
    return [Subjects(name, found) for name, found in sorted(subjects.items())]


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    return Environment(loader=FileSystemLoader(folder), autoescape=True, **options).get_template("page.html")
