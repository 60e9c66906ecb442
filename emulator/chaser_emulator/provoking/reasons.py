"""The refusals that the document declares and no state of the emulator leads to, each with its reason."""

from __future__ import annotations

REASONS: dict[tuple[str, str], str] = {
    ("mcp-handler", "insufficient_scope"): (
        "A tool that the key's scopes do not cover is answered with 200: its result has isError, and names the code."
    ),
    ("create-assistant", "sandbox_unavailable"): (
        "The home of an assistant is a workspace without a sandbox, so no engine is asked when it is made."
    ),
    ("resize-session-pty", "sandbox_unavailable"): (
        "The size is kept for the next terminal, and an open one that cannot take it is one that ends; a sandbox that "
        "fails to start while this waits is not_running."
    ),
    ("delete-workspace-snapshot", "sandbox_unavailable"): (
        "A snapshot is gone with its row; a disk that the engine cannot delete now is deleted later."
    ),
    ("bulk-delete-workspaces", "sandbox_unavailable"): (
        "What cannot be deleted is told in `results`, one by one, and the answer is 200."
    ),
    ("exec-session", "storage_limit_exceeded"): (
        "A command that finds the disk full says so itself, in its output and by its exit code."
    ),
    ("exec-sandbox", "not_a_sandbox"): (
        "It never meets a session of another type: a workspace for browsers is refused with invalid_request."
    ),
    ("list-github-repositories", "gateway_timeout"): (
        "The list comes from a folder, which is read at once; a server of repositories is not asked for one."
    ),
}
"""By operation and code."""
