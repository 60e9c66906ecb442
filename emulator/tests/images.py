"""Small container images for the tests, made on this machine and imported, so that no test waits for a registry."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from requirements import refuse

BUSYBOX = "chaser-test/busybox:latest"
BUSYBOX_AS_UBUNTU = "chaser-test/busybox-as-ubuntu:latest"
DEBIAN = "chaser-test/debian:latest"
CHROMIUM = "chaser-test/chromium:latest"
CHROMIUM_AS_UBUNTU = "chaser-test/chromium-as-ubuntu:latest"

_PASSWD = "root:x:0:0:root:/root:/bin/sh\nubuntu:x:1000:1000:ubuntu:/home/ubuntu:/bin/sh\n"
_GROUP = "root:x:0:\nubuntu:x:1000:\n"
_PACKAGES = ("bash", "python3", "git", "procps", "ca-certificates")
_BY_NAME = re.compile(r"/lib(?:softokn3|freebl3|freeblpriv3|nssckbi)\.(?:so|chk)$")
_CHROMIUM_ROOTS = ("/usr/lib/chromium", "/usr/bin/chromium", "/etc/chromium.d", "/etc/fonts", "/usr/share/fontconfig")


def busybox() -> str:
    """An image with one static binary: `sh` and its applets, users root and ubuntu (1000), no bash, no libc."""
    return _image(BUSYBOX, _busybox_tar)


def busybox_as_ubuntu() -> str:
    """The same with `USER ubuntu`, for what depends on the image's own user."""
    return _image(BUSYBOX_AS_UBUNTU, _busybox_tar, changes=["USER ubuntu"])


def debian() -> str:
    """A minimal Debian with bash, python3, git and procps, and user ubuntu (1000). The first time takes a minute."""
    return _image(DEBIAN, _debian_tar)


def chromium() -> str:
    """The same Debian with this machine's Chromium, what it links to, and one family of fonts."""
    return _layer(CHROMIUM, debian, _add_chromium)


def chromium_as_ubuntu() -> str:
    """That with `USER ubuntu`."""
    return _layer(CHROMIUM_AS_UBUNTU, chromium, None, changes=["USER ubuntu"])


def cache() -> Path:
    """Where what takes long to make is kept between runs."""
    chosen = os.environ.get("CHASER_TEST_CACHE")
    folder = Path(chosen) if chosen else Path.home() / ".cache" / "chaser-test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _image(name: str, tar: Callable[[], Path], changes: Sequence[str] = ()) -> str:
    client = docker.from_env(timeout=120)
    try:
        # Several workers of one run may want the same image at once.
        with _lock("images"):
            try:
                client.images.get(name)
            except ImageNotFound:
                repository, _, tag = name.partition(":")
                path = tar()
                client.api.import_image_from_file(
                    str(path), repository=repository, tag=tag, changes=list(changes) or None
                )
                client.images.get(name)
    finally:
        client.close()
    return name


def _layer(
    name: str, below: Callable[[], str], add: Callable[[tarfile.TarFile], None] | None, changes: Sequence[str] = ()
) -> str:
    """An image that is another one and some files more."""
    under = below()
    client = docker.from_env(timeout=120)
    try:
        with _lock("images"), tempfile.TemporaryFile(dir=cache()) as file:
            try:
                client.images.get(name)
                return name
            except ImageNotFound:
                pass
            container = client.api.create_container(under, command=["true"])["Id"]
            try:
                if add is not None:
                    with tarfile.open(fileobj=file, mode="w") as tar:
                        add(tar)
                    file.seek(0)
                    client.api.put_archive(container, "/", file)
                repository, _, tag = name.partition(":")
                client.api.commit(container, repository, tag, changes="\n".join(changes) or None)
            finally:
                client.api.remove_container(container, v=True)
    finally:
        client.close()
    return name


@contextlib.contextmanager
def _lock(name: str) -> Iterator[None]:
    with (cache() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _busybox_tar() -> Path:
    binary = shutil.which("busybox")
    if binary is None:
        refuse("docker", "busybox is not installed (Debian: busybox-static)")
    applets = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    path = cache() / "busybox.tar"
    with tarfile.open(path, "w") as tar:
        for folder, mode, owner in (
            ("bin", 0o755, 0),
            ("etc", 0o755, 0),
            ("root", 0o700, 0),
            ("home", 0o755, 0),
            ("home/ubuntu", 0o755, 1000),
            ("tmp", 0o1777, 0),
        ):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(entry)
        _add(tar, "bin/busybox", Path(binary).resolve().read_bytes(), 0o755)
        _add(tar, "etc/passwd", _PASSWD.encode(), 0o644)
        _add(tar, "etc/group", _GROUP.encode(), 0o644)
        for applet in applets:
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
    return path


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _debian_tar() -> Path:
    path = cache() / "debian.tar"
    if path.exists():
        return path
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        refuse("docker", "making the Debian image takes debootstrap and root")
    with tempfile.TemporaryDirectory(dir=cache(), prefix="debian-") as folder:
        root = Path(folder) / "root"
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", _codename(), str(root)],
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            refuse("docker", f"debootstrap failed: {made.stdout[-500:]}{made.stderr[-500:]}")
        subprocess.run(["chroot", str(root), "useradd", "-m", "-u", "1000", "-s", "/bin/bash", "ubuntu"], check=True)
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
            shutil.rmtree(root / waste, ignore_errors=True)
        half = Path(folder) / "debian.tar"
        leave_out = ["--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*"]
        subprocess.run(["tar", "-C", str(root), "-cf", str(half), *leave_out, "."], check=True)
        half.rename(path)
    return path


def _add_chromium(tar: tarfile.TarFile) -> None:
    program = Path("/usr/lib/chromium/chromium")
    if not program.exists():
        refuse("chromium", "an image with it is made of Debian's package, which is not installed here")
    # What NSS loads by name, ldd does not tell.
    by_name = [path for path in map(str, program.parents[1].glob("*/lib*")) if _BY_NAME.search(path)]
    linked = subprocess.run(["ldd", program, *by_name], capture_output=True, text=True, check=False).stdout
    found = {Path(path) for path in [*by_name, *re.findall(r"(?:=> |^\t)(/\S+)", linked, re.MULTILINE)]}
    found |= {Path(path) for path in _CHROMIUM_ROOTS}
    found |= {font for font in Path("/usr/share/fonts").glob("*/*") if font.name == "dejavu"}
    for path in sorted(found):
        if path.exists():
            # A library may be named by way of /lib, and by a link to it; both its name and what it leads to are taken.
            place = path.parent.resolve() / path.name
            tar.add(place, str(place).lstrip("/"))
            if place.is_symlink():
                tar.add(place.resolve(), str(place.resolve()).lstrip("/"))


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return "stable"


if __name__ == "__main__":
    for made in (busybox(), busybox_as_ubuntu(), debian()):
        print(made)  # noqa: T201
