"""SSH with the programs of OpenSSH: who may enter, commands, terminals, forwarded ports, and ends of every kind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import REAL, emulator_on, http_of
from openssh import OpenSsh
from people import Organization, ok, organization_of
from requirements import require
from test_cli import cli
from test_crash import server
from test_exec import until


@pytest.fixture(scope="module", params=REAL)
def answering(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An emulator that answers SSH, on each engine where commands really run."""
    require("ssh")
    with emulator_on(request.param, ssh_port=0) as one:
        yield one
        with http_of(one) as client:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


@pytest.fixture(scope="module")
def scripted() -> Iterator[Running]:
    """One without processes, for what is about people and keys."""
    require("ssh")
    with emulator_on("scripted", ssh_port=0) as one:
        yield one


@pytest.fixture(name="client", scope="module")
def client_fixture(answering: Running) -> Iterator[httpx.Client]:
    with http_of(answering) as client:
        yield client


@pytest.fixture(scope="module")
def user(answering: Running, client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> OpenSsh:
    """A user whose key is registered, and a workspace `web` of theirs."""
    user = OpenSsh.make(answering, tmp_path_factory.mktemp("user"))
    user.register(client)
    workspace(client, "web")
    return user


def workspace(client: httpx.Client, name: str, session_type: str = "sandbox", account: str | None = None) -> str:
    headers = {"X-Chaser-Account": account} if account else {}
    made = ok(client.post("/v1/workspaces", json={"name": name, "session_type": session_type}, headers=headers))
    return str(made["id"])


def sessions(client: httpx.Client) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = ok(client.get("/v1/sessions"))["sessions"]
    return listed


# Commands


def test_a_command_runs_in_the_workspace_with_its_output_its_errors_and_its_exit_code(user: OpenSsh) -> None:
    done = user.ssh("web", "pwd; echo wrong >&2; exit 42")
    assert (done.stdout, done.stderr, done.returncode) == (b"/workspace\n", b"wrong\n", 42)


@pytest.mark.parametrize(("end", "code"), [("exit 0", 0), ("exit 255", 255), ("kill -TERM $$", 143), ("no-such", 127)])
def test_the_exit_code_is_exact(user: OpenSsh, end: str, code: int) -> None:
    assert user.ssh("web", end).returncode == code


def test_input_goes_in_and_output_comes_out_byte_for_byte(user: OpenSsh) -> None:
    data = os.urandom(2**22 + 7)
    assert user.ssh("web", "cat > blob; wc -c < blob", stdin=data).stdout.strip() == str(len(data)).encode()
    assert user.ssh("web", "cat blob").stdout == data


def test_a_shell_without_a_terminal_reads_its_commands(user: OpenSsh) -> None:
    done = user.ssh("web", stdin=b"cd /tmp\npwd\nexit 5\n")
    assert (done.stdout, done.returncode) == (b"/tmp\n", 5)


def test_the_language_of_the_client_is_taken_and_nothing_else(user: OpenSsh) -> None:
    command = ["ssh", "-o", "SendEnv=LC_* FOO", *user.command("web", 'echo "$LC_TIME[$FOO]"')[1:]]
    env = os.environ | {"LC_TIME": "C.UTF-8", "FOO": "x"}
    assert subprocess.run(command, capture_output=True, env=env, check=True, timeout=60).stdout == b"C.UTF-8[]\n"


def test_a_command_ends_with_its_client(user: OpenSsh) -> None:
    client = subprocess.Popen(user.command("web", "echo $$; exec sleep 1000"), stdout=subprocess.PIPE)
    assert client.stdout is not None
    pid = client.stdout.readline().decode().strip()
    client.kill()
    client.communicate()
    until(lambda: user.ssh("web", f"kill -0 {pid} 2>/dev/null").returncode == 1)


def test_what_a_command_leaves_in_the_background_lives_on(user: OpenSsh) -> None:
    done = user.ssh("web", "sleep 1000 >/dev/null 2>&1 & echo $!")
    pid = done.stdout.decode().strip()
    assert user.ssh("web", f"kill -0 {pid} && kill {pid}").returncode == 0


def test_a_slow_reader_holds_a_command_back(user: OpenSsh) -> None:
    script = "(while echo; do :; done | head -c 100000000; touch written) & sleep 1000"
    client = subprocess.Popen(user.command("web", script), stdout=subprocess.PIPE)
    try:
        assert client.stdout is not None
        assert client.stdout.read(1) == b"\n"
        # Whether it was held back shows in what it has not done, once others have been served for a while.
        for _ in range(3):
            assert user.ssh("web", "[ -e written ]").returncode == 1
    finally:
        client.kill()
        client.communicate()


def test_no_trace_of_a_connection_remains_in_the_sandbox(user: OpenSsh) -> None:
    assert user.ssh("web", "true").returncode == 0
    until(lambda: user.ssh("web", "ls -A /tmp | grep -c ssh").stdout.strip() == b"0")


def test_rsync_and_git_go_through_it(user: OpenSsh, answering: Running) -> None:
    if answering.world.engine.name != "local":
        pytest.skip("the image has no rsync")
    tree = user.folder / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(os.urandom(100_000))
    for source, target in ((f"{tree}/", "web@localhost:synced/"), ("web@localhost:synced/", f"{user.folder}/back/")):
        subprocess.run(["rsync", "-a", "-e", user.transport, source, target], check=True, timeout=60)
    assert (user.folder / "back" / "sub" / "file").read_bytes() == (tree / "sub" / "file").read_bytes()
    assert user.ssh("web", "git init -q --bare code.git").returncode == 0
    env = os.environ | {"GIT_SSH_COMMAND": user.transport, "GIT_CONFIG_GLOBAL": os.devnull}
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    commands: tuple[list[str], ...] = (
        ["clone", "-q", "ssh://web@localhost/workspace/code.git", "."],
        [*who, "commit", "-q", "--allow-empty", "-m", "first"],
        ["push", "-q", "origin", "HEAD:main"],
    )
    (user.folder / "code").mkdir()
    for command in commands:
        subprocess.run(
            ["git", *command], cwd=user.folder / "code", env=env, check=True, capture_output=True, timeout=60
        )
    assert user.ssh("web", "git -C code.git log --format=%s main").stdout == b"first\n"


# Terminals


class Terminal:
    """A terminal with `ssh` on it."""

    def __init__(self, command: list[str], *, rows: int, cols: int, term: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Until the size is known; then it is as if the user had called it in a window that is there.
            os.read(0, 1)
            os.execvpe(command[0], command, os.environ | {"TERM": term})  # noqa: S606 - it is what a shell does
        self.resize(rows, cols)
        self.type("\n")
        self.screen = b""

    def resize(self, rows: int, cols: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def see(self, pattern: str, seconds: float = 15) -> re.Match[bytes]:
        """Wait until the screen shows something; what comes after it is for the next look."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern.encode(), self.screen)) is None:
            assert time.monotonic() < end, self.screen
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.screen += os.read(self.fd, 65_536)
        self.screen = self.screen[found.end() :]
        return found

    def end(self) -> int:
        """The exit code of a client that ends by itself."""
        end = time.monotonic() + 15
        while (ended := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            assert time.monotonic() < end, self.screen
            if select.select([self.fd], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    self.screen += os.read(self.fd, 65_536)
        os.close(self.fd)
        self.fd = -1
        return os.waitstatus_to_exitcode(ended[1])

    def kill(self) -> None:
        if self.fd >= 0:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)
            self.fd = -1


def test_a_terminal_has_the_size_of_its_window_also_when_that_changes(user: OpenSsh) -> None:
    terminal = Terminal(user.command("web"), rows=40, cols=100, term="xterm-color")
    try:
        terminal.type("stty size; echo term=$TERM. $((6*7))\n")
        terminal.see(r"40 100\r\n")
        terminal.see(r"term=xterm-color\. 42\r\n")
        terminal.type("trap 'echo now $(stty size)' WINCH; echo rea''dy\n")
        terminal.see("ready\r\n")
        terminal.resize(50, 132)
        terminal.type("echo nex''t\n")
        terminal.see("now 50 132")
        terminal.type("sh -c 'echo be\"\"gun; exec sleep 1000'\n")
        terminal.see("begun\r\n")
        terminal.type("\x03")
        terminal.type("exit 9\n")
        assert terminal.end() == 9
    finally:
        terminal.kill()


def test_a_command_may_have_a_terminal(user: OpenSsh) -> None:
    command = ["ssh", "-tt", *user.command("web", "test -t 0 && test -t 1 && tty; exit 6")[1:]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.startswith(b"/dev/")) == (6, True), done


# Sessions


def test_a_connection_uses_the_session_of_its_workspace_and_holds_it(user: OpenSsh, client: httpx.Client) -> None:
    held = workspace(client, "held")
    client_process = subprocess.Popen(user.command("held", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client_process.stdin is not None
    assert client_process.stdout is not None
    client_process.stdin.write(b"there\n")
    client_process.stdin.flush()
    assert client_process.stdout.readline() == b"there\n"
    [session] = [one for one in sessions(client) if one.get("workspace_id") == held]
    assert session["active_connection_leases"] == 1
    assert client.delete(f"/v1/sessions/{session['id']}").json()["code"] == "session_leased"
    # Another one finds the same session, and it may be ended all the same.
    assert user.ssh("held", "echo $CHASER_SESSION_ID").stdout.decode().strip() == session["id"]
    assert client.delete(f"/v1/sessions/{session['id']}", params={"force": "true"}).is_success
    assert client_process.wait(timeout=15) != 0
    client_process.communicate()
    assert user.ssh("held", "true").returncode == 0
    [fresh] = [one for one in sessions(client) if one.get("workspace_id") == held]
    assert fresh["id"] != session["id"]
    until(lambda: next(one for one in sessions(client) if one["id"] == fresh["id"])["active_connection_leases"] == 0)


def test_several_channels_share_a_connection(user: OpenSsh, client: httpx.Client) -> None:
    control = str(user.folder / "control")
    subprocess.run(["ssh", "-M", "-S", control, "-N", "-f", *user.command("web")[1:]], check=True, timeout=60)
    try:
        running = [
            subprocess.Popen(["ssh", "-S", control, *user.command("web", f"cat; exit {n}")[1:]], stdin=-1, stdout=-1)
            for n in range(5)
        ]
        for n, one in enumerate(running):
            assert one.communicate(str(n).encode(), timeout=30)[0] == str(n).encode()
            assert one.returncode == n
        [session] = [
            one
            for one in sessions(client)
            if one["id"] == user.ssh("web", "echo $CHASER_SESSION_ID").stdout.decode().strip()
        ]
        assert session["active_connection_leases"] == 1
    finally:
        subprocess.run(["ssh", "-S", control, "-O", "exit", *user.command("web")[1:]], check=True, capture_output=True)


# Ports


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


_ECHO = (
    "python3 -c 'import socket\n"
    's = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)\n'
    "while True:\n c = s.accept()[0]\n while d := c.recv(65536): c.sendall(d)\n c.close()'"
)


def test_ports_of_the_sandbox_are_forwarded_and_no_others(user: OpenSsh) -> None:
    serving = subprocess.Popen(user.command("web", _ECHO), stdin=-1, stdout=-1)
    try:
        assert serving.stdout is not None
        port = serving.stdout.readline().decode().strip()
        through = subprocess.run(
            ["ssh", "-W", f"127.0.0.1:{port}", *user.command("web")[1:]],
            input=b"x" * 1_000_000,
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert through.stdout == b"x" * 1_000_000
        elsewhere = subprocess.run(
            ["ssh", "-o", "LogLevel=INFO", "-W", "example.com:80", *user.command("web")[1:]],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert elsewhere.returncode == 255
        assert b"only ports of the sandbox itself are forwarded" in elsewhere.stderr
        closed = subprocess.run(
            ["ssh", "-o", "LogLevel=INFO", "-W", "localhost:1", *user.command("web")[1:]],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert closed.returncode == 255
        assert b"nothing in the sandbox listens on port 1" in closed.stderr
    finally:
        serving.kill()
        serving.communicate()


def test_what_is_not_offered_is_refused_without_harm(user: OpenSsh) -> None:
    asked = ["ssh", "-X", "-A", "-R", f"{free_port()}:localhost:1", *user.command("web", "echo fine")[1:]]
    done = subprocess.run(asked, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"fine\n")


# People and keys


@pytest.fixture
def organization(scripted: Running) -> Iterator[Organization]:
    with organization_of(scripted) as one:
        yield one


@pytest.fixture
def stranger(scripted: Running, tmp_path: Path) -> OpenSsh:
    """A user with a key that nobody knows."""
    return OpenSsh.make(scripted, tmp_path / "stranger")


def test_a_key_opens_what_its_account_has_until_it_is_removed(stranger: OpenSsh, organization: Organization) -> None:
    name = f"w-{uuid.uuid4().hex[:8]}"
    workspace_id = workspace(organization.member, name)
    refused = stranger.ssh(name, "true")
    assert (refused.returncode, b"Permission denied (publickey)" in refused.stderr) == (255, True)
    key = stranger.register(organization.member)
    assert "last_used_at" not in key
    for selector in (name, name.upper(), workspace_id, f"{organization.name}/{name}", f"{organization.id}/{name}"):
        done = stranger.ssh(selector, "echo hello")
        assert (done.stdout, done.returncode) == (b"hello\n", 0), done
    [listed] = ok(organization.member.get("/v1/ssh-keys"))["keys"]
    assert listed["last_used_at"] > listed["created_at"]
    started = ok(organization.owner.get("/v1/audit/events", params={"action": "session.create"}))["events"]
    assert [event["actor_id"] for event in started] == [organization.people["member"].user_id]
    ok(organization.member.delete(f"/v1/ssh-keys/{key['id']}"))
    assert b"Permission denied" in stranger.ssh(name, "true").stderr


def test_who_leaves_an_account_leaves_its_workspaces(stranger: OpenSsh, organization: Organization) -> None:
    name = f"w-{uuid.uuid4().hex[:8]}"
    workspace(organization.owner, name)
    stranger.register(organization.member)
    assert stranger.ssh(name, "true").returncode == 0
    gone = organization.people["member"].user_id
    ok(organization.owner.delete(f"/v1/accounts/current/members/{gone}"))
    assert b"Permission denied" in stranger.ssh(name, "true").stderr


def test_a_name_in_two_accounts_of_a_key_is_ambiguous(stranger: OpenSsh, organization: Organization) -> None:
    owner, name = organization.owner, f"w-{uuid.uuid4().hex[:8]}"
    for account in (organization.id, "personal"):
        stranger.register(owner, account)
        workspace(owner, name, account=account)
    alone = f"w-{uuid.uuid4().hex[:8]}"
    workspace(owner, alone)
    assert stranger.ssh(alone, "true").returncode == 0
    refused = stranger.ssh(name, "true")
    assert (refused.returncode, b"is ambiguous" in refused.stderr) == (255, True)
    assert f"{organization.name}/{name}".encode() in refused.stderr
    for selector in (f"{organization.name}/{name}", f"personal/{name}"):
        assert stranger.ssh(selector, "true").returncode == 0


def test_what_cannot_be_entered_is_refused_with_the_reason(stranger: OpenSsh, organization: Organization) -> None:
    stranger.register(organization.member)
    name = f"b-{uuid.uuid4().hex[:8]}"
    workspace(organization.member, name, "browser")
    for selector, reason in (
        (f"no-{name}", "there is no workspace"),
        (name, "is for browser sessions"),
        (f"nobody/{name}", "this key opens no account 'nobody'"),
    ):
        for done in (stranger.ssh(selector, "true"), stranger.ssh(selector), stranger.sftp(selector, "pwd")):
            assert (done.returncode, reason in done.stderr.decode()) == (255, True), done
    waiting = subprocess.run(
        ["ssh", "-N", *stranger.command(f"no-{name}")[1:]], capture_output=True, timeout=60, check=False
    )
    assert (waiting.returncode, b"there is no workspace" in waiting.stderr) == (255, True)


def test_a_limit_of_the_plan_is_the_reason_too(tmp_path: Path) -> None:
    require("ssh")
    with emulator_on("scripted", ssh_port=0, max_sessions=1) as emulator, http_of(emulator) as client:
        user = OpenSsh.make(emulator, tmp_path / "user")
        user.register(client)
        for name in ("one", "two"):
            workspace(client, name)
        assert user.ssh("one", "true").returncode == 0
        refused = user.ssh("two", "true")
        assert (refused.returncode, b"allows 1 live sessions at once" in refused.stderr) == (255, True)


# The gateway itself


def test_noise_on_the_port_is_no_news(scripted: Running, capfd: pytest.CaptureFixture[str]) -> None:
    for noise in (
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        os.urandom(100_000),
        b"SSH-2.0-x\r\n\0\0\0\5abcdef",
        b"SSH-2.0-x\r\n",
    ):
        assert scripted.ssh_port is not None
        with socket.create_connection(("127.0.0.1", scripted.ssh_port)) as one, contextlib.suppress(OSError):
            one.settimeout(10)
            one.sendall(noise)
            one.shutdown(socket.SHUT_WR)
            while one.recv(65_536):
                pass
    assert capfd.readouterr() == ("", "")


def test_its_host_key_is_kept_with_the_data_and_shown(tmp_path: Path) -> None:
    require("ssh")
    seen = []
    for _ in range(2):
        with server("scripted", tmp_path, "--ssh-port", "0") as one:
            scanned = subprocess.run(
                ["ssh-keyscan", "-t", "ed25519", "-p", str(one.state["ssh_port"]), "127.0.0.1"],
                capture_output=True,
                check=True,
            ).stdout.split()
            seen.append(scanned[1:])
            [file] = tmp_path.rglob("ssh_host_ed25519_key")
            assert file.stat().st_mode & 0o777 == 0o600
            one.stop()
    assert seen[0] == seen[1]
    told = cli("doctor", "--data-dir", str(file.parent), "--port", "0", cwd=tmp_path).stdout
    (tmp_path / "scanned").write_bytes(b" ".join([b"localhost", *seen[0]]))
    printed = subprocess.run(["ssh-keygen", "-lf", tmp_path / "scanned"], capture_output=True, text=True, check=True)
    assert printed.stdout.split()[1] in told.replace("\n", "")


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = cli("--port", "0", "--ssh-port", port, "--sandbox", "scripted", "--ephemeral", cwd=tmp_path)
    assert (done.returncode, "--ssh-port" in done.stderr) == (1, True), done.stderr


def test_a_stop_is_quick_with_people_connected(tmp_path: Path) -> None:
    require("ssh")
    with server("local", tmp_path, "--ssh-port", "0") as one, one.client() as client:
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        ok(client.post("/v1/ssh-keys", json={"public_key": (tmp_path / "key.pub").read_text()}))
        workspace(client, "web")
        options = ["-F", "none", "-i", str(key), "-p", str(one.state["ssh_port"]), "-o", "BatchMode=yes"]
        options += ["-o", f"UserKnownHostsFile={tmp_path / 'hosts'}", "-o", "StrictHostKeyChecking=no"]
        people = [
            subprocess.Popen(["ssh", *options, "web@localhost", command], stdin=-1, stdout=-1, stderr=-1)
            for command in ("echo there; sleep 1000", "echo there; trap '' HUP TERM; yes", "echo there; cat")
        ]
        for person in people:
            assert person.stdout is not None
            assert person.stdout.readline() == b"there\n"
        one.stop()  # which fails after five seconds
        for person in people:
            person.communicate(timeout=10)
            assert person.returncode != 0
