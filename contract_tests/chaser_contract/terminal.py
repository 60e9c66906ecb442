"""What a person sees of a run in a terminal; quiet where nobody watches."""

from __future__ import annotations

from collections.abc import Sequence

import click

from chaser_contract.findings import Outcome
from chaser_contract.running import Report
from chaser_contract.targets import Where


class Terminal:
    """Tells on the standard output."""

    def begins(self, where: Where, parts: Sequence[str]) -> None:
        click.echo(f"{len(parts)} parts, --seed {where.seed}")

    def ended(self, outcome: Outcome) -> None:
        if outcome.status not in ("passed", "skipped"):
            click.echo(f"{outcome.status}: {outcome.part}")

    def tell(self, report: Report) -> None:
        """The findings, and the sum."""
        for outcome in report.outcomes:
            if outcome.status == "error":
                click.echo(f"{outcome.part} broke by itself:\n{outcome.reason}", err=True)
        for one in report.findings:
            click.echo(f"\n{one.promise}\n  came: {one.came}\n  document: {one.pointer}")
            if one.exchange is not None:
                click.echo(f"  {one.exchange.curl(report.url)}")
        requests = sum(outcome.requests for outcome in report.outcomes)
        click.echo(f"{len(report.findings)} findings, {requests} requests, {report.seconds:.1f} s")
