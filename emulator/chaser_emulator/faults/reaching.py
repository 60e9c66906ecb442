"""What operations have the engine do, so that a rule about the engine that could never act is refused."""

from __future__ import annotations

from collections.abc import Mapping

from chaser_emulator.sandbox.failing import POSSIBLE, Operation

_ASK_BROWSER: frozenset[Operation] = frozenset({"connect"})
_START: frozenset[Operation] = frozenset({"start", "exec", "fill_disk", "connect"})
"""A start fills the disk from a repository, looks into it, and a browser's runs Chromium and asks it."""

REACHED: Mapping[str, frozenset[Operation]] = {
    "create-session": _START,
    "exec-sandbox": _START | {"stop"},
    "exec-session": frozenset({"exec"}),
    "self-test-session": frozenset({"exec"}),
    "open-session-pty": frozenset({"open_terminal", "exec"}),
    "upload-session-file": frozenset({"write_file"}),
    "download-session-file": frozenset({"read_file"}),
    "terminate-session": frozenset({"stop"}),
    "bulk-terminate-sessions": frozenset({"stop"}),
    "delete-workspace": frozenset({"stop"}),
    "bulk-delete-workspaces": frozenset({"stop"}),
    "create-workspace": frozenset({"copy_disk"}),
    "import-workspace": frozenset({"fill_disk"}),
    "create-workspace-snapshot": frozenset({"copy_disk"}),
    "restore-workspace-snapshot": frozenset({"copy_disk", "stop"}),
    "get-browser-version": _ASK_BROWSER,
    "list-browser-targets": _ASK_BROWSER,
    "list-browser-targets-shortly": _ASK_BROWSER,
    "open-browser-target-by-get": _ASK_BROWSER,
    "open-browser-target": _ASK_BROWSER,
    "activate-browser-target": _ASK_BROWSER,
    "close-browser-target": _ASK_BROWSER,
    "get-browser-protocol": _ASK_BROWSER,
    "connect-browser": _ASK_BROWSER,
    "connect-browser-target": _ASK_BROWSER,
    "upload-browser-extension": _ASK_BROWSER | {"exec"},
    # Its tools perform other operations, and work on files themselves.
    "mcp-handler": frozenset(POSSIBLE),
}
"""By operationId. What is not here works on rows alone, or on processes that run already."""
