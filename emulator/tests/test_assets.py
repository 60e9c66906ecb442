"""What of the console only npm has: brought in when the distribution is built, checked, and not needed."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
import sys
import tarfile
import time
from pathlib import Path

import assets
import psutil
import pytest

SCRIPT = b"export const answer = 42;\n"
FILES = {"lib/one.mjs": SCRIPT, "LICENSE": b"Do as you please.\n", "evil/../../out.js": b"no", "README.md": b"no"}


def tarball(files: dict[str, bytes]) -> bytes:
    """A package as npm packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def pinned(packed: bytes) -> tuple[assets.Package, ...]:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
    return (assets.Package("@some/thing", "1.2.3", integrity, {"lib/one.mjs": "one.js", "LICENSE": "one.LICENSE.md"}),)


def npm_that(does: str, folder: Path) -> dict[str, str]:
    """The environment of a machine whose npm does this; its script finds `into`, the folder to pack to."""
    program = folder / "bin" / "npm"
    program.parent.mkdir()
    lines = [
        f"#!{sys.executable}",
        "import os, sys, time",
        "into = sys.argv[sys.argv.index('--pack-destination') + 1]",
        does,
    ]
    program.write_text("\n".join(lines))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": str(program.parent)}


def npm_with(packed: bytes, folder: Path) -> dict[str, str]:
    """One whose registry has this package."""
    source = folder / "published.tgz"
    source.write_bytes(packed)
    return npm_that(f"open(os.path.join(into, 'any-name.tgz'), 'wb').write(open({str(source)!r}, 'rb').read())", folder)


def test_the_named_files_of_a_package_are_put_in_their_place_and_no_others(tmp_path: Path) -> None:
    packed = tarball(FILES)
    folder = tmp_path / "vendor"
    assert assets.bring_in(folder, pinned(packed), environ=npm_with(packed, tmp_path)) is None
    assert (folder / "one.js").read_bytes() == SCRIPT
    assert sorted(path.name for path in folder.iterdir()) == ["brought.json", "one.LICENSE.md", "one.js"]


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    packed = tarball(FILES)
    folder = tmp_path / "vendor"
    assets.bring_in(folder, pinned(packed), environ=npm_with(packed, tmp_path))
    assert assets.bring_in(folder, pinned(packed), environ={"PATH": "", assets.WISH: "require"}) is None


@pytest.mark.parametrize("change", ["another version", "a changed file", "a lost file"])
def test_what_is_not_as_pinned_any_more_is_not_kept(tmp_path: Path, change: str) -> None:
    packed = tarball(FILES)
    folder = tmp_path / "vendor"
    packages = pinned(packed)
    assets.bring_in(folder, packages, environ=npm_with(packed, tmp_path))
    if change == "another version":
        packages = pinned(tarball({**FILES, "lib/one.mjs": b"newer"}))
    elif change == "a changed file":
        (folder / "one.js").write_bytes(b"mine")
    else:
        (folder / "one.js").unlink()
    assert "npm is not installed" in str(assets.bring_in(folder, packages, environ={"PATH": ""}))
    assert not folder.exists()


def test_another_package_than_the_pinned_one_fails_whatever_is_wished(tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    environ = npm_with(tarball({**FILES, "lib/one.mjs": b"steal();"}), tmp_path)
    with pytest.raises(assets.NotAsPinned, match=r"@some/thing@1[.]2[.]3 is not what is pinned"):
        assets.bring_in(folder, pinned(tarball(FILES)), environ=environ)
    assert not folder.exists()


def test_without_npm_a_line_says_so_unless_they_are_required(tmp_path: Path) -> None:
    packages = pinned(tarball(FILES))
    line = assets.bring_in(tmp_path / "vendor", packages, environ={"PATH": ""})
    assert line == "the console gets a plain terminal, as its parts from npm are not to be had: npm is not installed"
    with pytest.raises(assets.CannotBring):
        assets.bring_in(tmp_path / "vendor", packages, environ={"PATH": "", assets.WISH: "require"})
    with pytest.raises(assets.CannotBring, match="require, skip or nothing"):
        assets.bring_in(tmp_path / "vendor", packages, environ={"PATH": "", assets.WISH: "yes"})


def test_why_npm_has_failed_is_said(tmp_path: Path) -> None:
    lines = ["code ENOTFOUND", "syscall connect", "network request to a registry failed", "A complete log of this"]
    said = "\\n".join(f"npm error {line}" for line in lines)
    environ = npm_that(f"print('{said}', file=sys.stderr); sys.exit(1)", tmp_path)
    line = assets.bring_in(tmp_path / "vendor", pinned(tarball(FILES)), environ=environ)
    assert str(line).endswith("npm has failed (network request to a registry failed)")


def lives(pid: int) -> bool:
    """Whether a process is there, and no mere remains."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_npm_that_hangs_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    does = f"child = os.fork(); open({str(note)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    line = assets.bring_in(tmp_path / "vendor", pinned(tarball(FILES)), environ=npm_that(does, tmp_path), patience=1)
    assert str(line).endswith("npm has not answered for 1 seconds")
    until = time.monotonic() + 10
    while any(lives(pid) for pid in map(int, note.read_text().split())):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_nobody_is_asked_where_that_is_wished(tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    environ = npm_that("open('asked', 'w')", tmp_path) | {assets.WISH: "skip"}
    assert assets.bring_in(folder, pinned(tarball(FILES)), environ=environ) is None
    assert not folder.exists()
    assert not Path(os.getcwd(), "asked").exists()


def test_nothing_of_others_is_kept_with_our_own_files() -> None:
    ignored = (assets.FOLDER.parents[3] / ".gitignore").read_text().splitlines()
    assert "emulator/chaser_emulator/console/vendor/" in ignored
    for package in assets.PACKAGES:
        assert package.integrity.startswith("sha512-")
        assert any("LICENSE" in name for name in package.files.values())
