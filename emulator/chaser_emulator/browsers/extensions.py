"""Extensions of a running browser: unpacked onto its disk, where later sessions find them, and loaded at once."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import re
import secrets
import signal

from chaser_emulator.browsers import Browser, archives, chromium, devtools
from chaser_emulator.sandbox import CommandSpec, DiskFull, SandboxUnavailable
from chaser_emulator.shapes import BrowserExtensionInfo

_PATIENCE = 60.0

# Beside its place first, so that a browser never meets half of an extension. What is left beside goes at a start.
_UNPACK = """
[ ! {root} -ef . ] || cd {root}
mkdir -p extensions/{fresh} && tar -xof - -C extensions/{fresh} || {{ rm -rf extensions/{fresh}; exit 1; }}
[ ! -e extensions/{folder} ] || mv extensions/{folder} extensions/{before} || exit 1
mv extensions/{fresh} extensions/{folder} && pwd
"""
_KEEP = "[ ! {root} -ef . ] || cd {root}; rm -rf extensions/{before}"
_GO_BACK = """
[ ! {root} -ef . ] || cd {root}
rm -rf extensions/{folder}
[ ! -e extensions/{before} ] || mv extensions/{before} extensions/{folder}
"""


class Refused(Exception):
    """Chromium does not take the extension. The text is its own."""


async def install(browser: Browser, extension: archives.Extension) -> BrowserExtensionInfo:
    """Unpack and load an extension, in place of the one before it, which stays when the new one is refused.

    Raises Refused, Failed, DiskFull and SandboxError.
    """
    folder, token = _folder(extension), secrets.token_hex(6)
    names = {"root": chromium.ROOT, "folder": folder, "fresh": f".new-{token}", "before": f".new-{token}-before"}
    async with browser.installing, asyncio.timeout(_PATIENCE):
        told = await _run(browser, _UNPACK.format(**names), archives.tar_of(extension))
        where = f"{told.splitlines()[-1]}/extensions/{folder}"
        try:
            async with devtools.conversation(browser.place, f"browser/{browser.guid}") as talk:
                loaded = await talk.ask("Extensions.loadUnpacked", path=where)
        except devtools.Refused as error:
            await _run(browser, _GO_BACK.format(**names))
            raise Refused(str(error).replace(where, folder)) from None
        await _run(browser, _KEEP.format(**names))
    return {
        "id": str(loaded["id"]),
        "name": extension.name,
        "version": extension.version,
        "path": f"{chromium.ROOT}/extensions/{folder}",
    }


async def _run(browser: Browser, script: str, data: bytes = b"") -> str:
    """What a command of ours in the browser's sandbox says. Raises DiskFull and SandboxUnavailable when it fails."""
    place = browser.place
    process = await place.engine.exec(place.ref, CommandSpec(script, stdin=True, ours=True))

    async def feed() -> None:
        # One that has ended early says itself why.
        with contextlib.suppress(BrokenPipeError):
            await process.write(data)
        await process.close_stdin()

    feeding = asyncio.create_task(feed())
    try:
        told = b"".join([chunk async for chunk in process.output()]).decode(errors="replace").strip()
        code = await process.wait()
    except BaseException:
        await asyncio.shield(process.signal(signal.SIGKILL))
        raise
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    if code != 0:
        if "No space left" in told:
            raise DiskFull("The extension does not fit on the disk of the browser.")
        raise SandboxUnavailable(f"The extension could not be unpacked: {told.splitlines()[-1] if told else code}")
    return told


def _folder(extension: archives.Extension) -> str:
    """The same for each version of an extension: Chromium makes the id of one without a key from its path."""
    if extension.key is not None:
        with contextlib.suppress(binascii.Error, ValueError):
            digest = hashlib.sha256(base64.b64decode("".join(extension.key.split()))).hexdigest()[:32]
            return "".join(chr(ord("a") + int(digit, 16)) for digit in digest)
    slug = re.sub(r"[^a-z0-9]+", "-", extension.name.lower()).strip("-")[:40] or "extension"
    return f"{slug}-{hashlib.sha256(extension.name.encode()).hexdigest()[:8]}"
