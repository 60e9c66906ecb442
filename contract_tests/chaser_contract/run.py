"""One Schemathesis run against a Chaser: every phase and every check, over all operations."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaser_contract import expectations

DOCUMENT = "/api-docs/openapi.json"
PHASES = "examples,coverage,fuzzing,stateful"

LAST = "update-billing-account"
"""What decides what the account may do at all, and so is tried by itself when the rest is done."""

WAITING = ("watch-events", "expect-webhook", "receive-at-sink")
"""What goes on for as long as somebody watches, waits for what does not come, or takes its time as it was told to."""

LARGE = ("add-fault", "load-faults", "add-stub", "load-stubs", "provoke")
"""What takes so much that trying each bound of it is more than half of a run."""


@dataclass(frozen=True)
class Result:
    """`clean` when nothing was found; `report` is what Schemathesis printed."""

    clean: bool
    report: str


def run(url: str, api_key: str, *, seed: int | None = None, max_examples: int = 20, phases: str = PHASES) -> Result:
    """Test the Chaser at `url`. `max_examples` is per operation and phase; `seed` repeats a run."""
    # By itself an operation has no links to follow from one state to the next.
    single = ",".join(phase for phase in phases.split(",") if phase != "stateful")
    return _ran(
        url + DOCUMENT,
        url,
        _config(expectations.load()),
        ["--header", f"Authorization: Bearer {api_key}"],
        [("--exclude-operation-id", LAST, "--phases", phases), ("--include-operation-id", LAST, "--phases", single)],
        seed=seed,
        max_examples=max_examples,
    )


def run_control(url: str, *, seed: int | None = None, max_examples: int = 5, whole: bool = False) -> Result:
    """Test the control plane of an emulator at `url`, against its own document, from the machine that it runs on.

    Without `whole` not every bound of those operations is tried that have hundreds of them.
    """
    base = f"{url}/_emulator"
    # A world that is made up is there for no operation, which would be all that is found out.
    known = '[parameters]\n"header.X-Chaser-World" = "default"\n"query.world" = "default"\n"query.wait" = 0\n'
    return _ran(
        f"{base}/openapi.json",
        base,
        known + _config(expectations.load(expectations.CONTROL), () if whole else LARGE),
        [text for name in WAITING for text in ("--exclude-operation-id", name)],
        [("--phases", PHASES)],
        seed=seed,
        max_examples=max_examples,
    )


def _ran(
    document: str,
    url: str,
    configuration: str,
    arguments: Sequence[str],
    runs: Iterable[Sequence[str]],
    *,
    seed: int | None,
    max_examples: int,
) -> Result:
    """What one or more runs of Schemathesis found, each with arguments of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # The configuration's own format is TOML, of which JSON's strings, numbers and lists are a part.
        config = Path(folder) / "schemathesis.toml"
        config.write_text(configuration, "utf-8")
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", document]
        command += ["--url", url, *arguments]
        command += ["--max-examples", str(max_examples), "--workers", "1", "--checks", "all", "--continue-on-failure"]
        # A machine that is busy makes data slowly; that says nothing of the API.
        command += ["--suppress-health-check", "too_slow"]
        command += ["--generation-database", "none"] + ([] if seed is None else ["--seed", str(seed)])
        done = [
            subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False) for more in runs
        ]
    return Result(
        all(one.returncode == 0 for one in done), "\n".join(text for one in done for text in (one.stdout, one.stderr))
    )


def _config(meant: list[expectations.Expectation], uncovered: Collection[str] = ()) -> str:
    lines = []
    expected = expectations.as_config(meant)
    named = {operation["include-operation-id"] for operation in expected}
    for operation in [*expected, *({"include-operation-id": name, "checks": {}} for name in set(uncovered) - named)]:
        lines += ["[[operations]]", f"include-operation-id = {json.dumps(operation['include-operation-id'])}"]
        if operation["include-operation-id"] in uncovered:
            lines.append("phases.coverage.enabled = false")
        for check, settings in operation["checks"].items():
            for name, value in settings.items():
                lines.append(f"checks.{check}.{name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"
