"""The self-test of a session: a script in the sandbox says what commands find there, and the answer shows just that."""

from __future__ import annotations

from chaser_emulator.commands import run
from chaser_emulator.operations import Call
from chaser_emulator.resources import present
from chaser_emulator.sandbox import CommandSpec
from chaser_emulator.shapes import (
    SessionRuntimeChaserInfo,
    SessionRuntimeInfo,
    SessionRuntimeProxyInfo,
    SessionSelfTestResponse,
)
from chaser_emulator.store import Row

_TOOLS = {"node": "--version", "python3": "--version", "git": "--version", "bun": "--version"}
_TOOLS |= {"cargo": "--version", "rustc": "--version", "go": "version"}
_TIMEOUT = 30.0

_VARIABLES = {
    "home": "HOME",
    "shell": "SHELL",
    "path": "PATH",
    "term": "TERM",
    "lang": "LANG",
    "chaser_mode": "CHASER_MODE",
    "all_proxy": "ALL_PROXY",
    "http_proxy": "HTTP_PROXY",
    "https_proxy": "HTTPS_PROXY",
    "no_proxy": "NO_PROXY",
}

# One line a finding, `name=value`; a tool that is not there has no line.
_SCRIPT = "\n".join(
    [
        'printf "cwd=%s\\n" "$(pwd)"',
        'printf "user=%s\\n" "$(id -un 2>/dev/null || id -u)"',
        *(f'printf "{name}=%s\\n" "${{{variable}:-}}"' for name, variable in _VARIABLES.items()),
        '[ -d /workspace ] && printf "workspace_root=/workspace\\n"',
        *(
            f'where=$(command -v {tool}) && printf "tool.{tool}=%s\\nversion.{tool}=%s\\n" "$where" '
            f'"$({tool} {flag} 2>&1 </dev/null | head -n 1)"'
            for tool, flag in _TOOLS.items()
        ),
        "true",
    ]
)


async def measure(call: Call, row: Row) -> SessionSelfTestResponse:
    """SessionSelfTestResponse: `degraded` when the script failed, or workspace or isolation are missing (S17)."""
    with call.world.lifecycle.lease(row["id"]):
        outcome = await run(call.engine, row["ref"], CommandSpec(_SCRIPT, ours=True), stdin=None, timeout=_TIMEOUT)
    found = dict(line.partition("=")[::2] for line in outcome.output.splitlines() if "=" in line)
    healthy = outcome.exit_code == 0 and "workspace_root" in found and call.world.engine_info.isolated
    path = found.get("path") or None
    return present(
        SessionSelfTestResponse,
        kind="self_test",
        status="ok" if healthy else "degraded",
        session_id=row["id"],
        workspace_id=row["workspace_id"],
        runtime=present(
            SessionRuntimeInfo,
            cwd=found.get("cwd"),
            home=found.get("home") or None,
            user=found.get("user"),
            shell=found.get("shell") or None,
            path=path,
            path_entries=path.split(":") if path else [],
            term=found.get("term") or None,
            lang=found.get("lang") or None,
            chaser_mode=found.get("chaser_mode") or "exec",
            chaser_exec=True,
            chaser_agent=False,
            workspace_root_present="workspace_root" in found,
            proxy=present(
                SessionRuntimeProxyInfo,
                all_proxy=found.get("all_proxy") or None,
                http_proxy=found.get("http_proxy") or None,
                https_proxy=found.get("https_proxy") or None,
                no_proxy=found.get("no_proxy") or None,
            ),
            chaser=present(
                SessionRuntimeChaserInfo,
                toolchain_attached=False,
                session_id=row["id"],
                workspace_id=row["workspace_id"],
                workspace_root=found.get("workspace_root"),
                runtime_env=f"{call.engine.name}: {call.world.engine_info.isolation}",
                image=row["image"] or call.world.engine_info.default_image,
            ),
            tools={tool: found[f"tool.{tool}"] for tool in _TOOLS if found.get(f"tool.{tool}")},
            tool_versions={tool: found[f"version.{tool}"] for tool in _TOOLS if found.get(f"version.{tool}")},
        ),
    )
