"""The programs of OpenSSH as a user has them: a key, the hosts that are known, and a workspace to go to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from chaser_emulator.server import Running
from people import ok


@dataclass(frozen=True)
class OpenSsh:
    """A user's folder with a key in it, and the emulator that they talk to."""

    emulator: Running
    folder: Path

    @classmethod
    def make(cls, emulator: Running, folder: Path) -> OpenSsh:
        """With a fresh key, which nobody knows yet."""
        folder.mkdir(exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        return cls(emulator, folder)

    @property
    def public_key(self) -> str:
        return (self.folder / "key.pub").read_text()

    def register(self, client: httpx.Client, account: str | None = None) -> dict[str, Any]:
        """Make the key known in the client's account."""
        headers = {"X-Chaser-Account": account} if account else {}
        key: dict[str, Any] = ok(client.post("/v1/ssh-keys", json={"public_key": self.public_key}, headers=headers))
        return dict(key["key"])

    @property
    def options(self) -> list[str]:
        """What all of OpenSSH's programs take: this key alone, these hosts alone, and never a question."""
        told = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": str(self.folder / "key"),
            "Port": str(self.emulator.ssh_port),
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(self.folder / "hosts"),
            "LogLevel": "ERROR",
        }
        return ["-F", "none", *(part for name, value in told.items() for part in ("-o", f"{name}={value}"))]

    def command(self, workspace: str, *arguments: str) -> list[str]:
        """The command line of `ssh WORKSPACE@localhost`; `arguments` that are options come first."""
        return ["ssh", *self.options, "-l", workspace, "localhost", *arguments]

    def ssh(
        self, workspace: str, *arguments: str, stdin: bytes = b"", **how: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `ssh` to its end."""
        return run(self.command(workspace, *arguments), stdin=stdin, **how)

    def sftp(self, workspace: str, *lines: str) -> subprocess.CompletedProcess[bytes]:
        """Run a batch of sftp's commands; one with `-` before it may fail."""
        batch = "\n".join(lines).encode() + b"\n"
        return run(["sftp", *self.options, "-b", "-", f"{workspace}@localhost"], stdin=batch, cwd=self.folder)

    def scp(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run scp in the user's folder."""
        return run(["scp", *self.options, *arguments], cwd=self.folder)

    @property
    def transport(self) -> str:
        """What rsync and git are told to use as ssh."""
        return " ".join(["ssh", *self.options])


def run(command: Sequence[str], *, stdin: bytes = b"", **how: Any) -> subprocess.CompletedProcess[bytes]:
    """A program to its end; its output as it is."""
    # The variables of this machine, but none that ssh would pass on.
    env = {name: value for name, value in os.environ.items() if not name.startswith("LC_")} | how.pop("env", {})
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False, env=env, **how)
