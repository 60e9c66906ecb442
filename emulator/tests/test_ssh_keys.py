"""SSH keys: every type that OpenSSH makes, one text for one key, and whose it is."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import uuid
from pathlib import Path

import chaser_sdk.types as sdk_types
import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserApiError, ChaserClient
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from emulators import http_of
from people import Organization, failed_audits, ok, refused
from shapes import complete

KEYS = "/v1/ssh-keys"
SECURITY_KEYS = {
    "ssh-ed25519": "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256": "sk-ecdsa-sha2-nistp256@openssh.com",
}


def public_line(kind: str = "ed25519") -> str:
    """A fresh public key as type and data."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    match kind:
        case "ed25519" | "sk-ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        case "p256" | "sk-p256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "p384":
            key = ec.generate_private_key(ec.SECP384R1())
        case "p521":
            key = ec.generate_private_key(ec.SECP521R1())
        case bits:
            key = rsa.generate_private_key(65537, int(bits.removeprefix("rsa")))
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return in_security_key(line) if kind.startswith("sk-") else line


def in_security_key(line: str) -> str:
    """The same public key as one that lives in a FIDO token: another type, and the application at the end."""
    kind, data = line.split()
    blob = base64.b64decode(data)
    renamed = SECURITY_KEYS[kind]
    return f"{renamed} {base64.b64encode(_text(renamed) + blob[4 + len(kind) :] + _text('ssh:')).decode()}"


def _text(value: str) -> bytes:
    return len(value).to_bytes(4, "big") + value.encode()


def fingerprint(line: str) -> str:
    """What OpenSSH prints for a key."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@pytest.mark.parametrize(
    "kind", ["ed25519", "rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "sk-ed25519", "sk-p256"]
)
def test_every_type_of_key_is_registered_under_its_fingerprint(client: httpx.Client, kind: str) -> None:
    line = public_line(kind)
    key = ok(client.post(KEYS, json={"public_key": line}))["key"]
    assert (key["public_key"], key["fingerprint"]) == (line, fingerprint(line))
    assert str(uuid.UUID(key["id"])) == key["id"]
    assert set(key) == {"id", "public_key", "fingerprint", "created_at"}
    ok(client.delete(f"{KEYS}/{key['id']}"))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_a_fingerprint_is_the_one_that_openssh_prints(client: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@laptop", "-f", file], check=True)
    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", f"{file}.pub"], check=True, capture_output=True, text=True
    ).stdout.split()
    # The file ends with a line break, as files that people paste from do.
    key = ok(client.post(KEYS, json={"public_key": (tmp_path / "key.pub").read_text()}))["key"]
    assert (key["fingerprint"], key["name"]) == (printed[1], "ada@laptop")


@pytest.mark.parametrize(
    ("comment", "name", "shown"),
    [
        ("", None, None),
        (" ada@laptop", None, "ada@laptop"),
        (" Ada  Lovelace's laptop ", None, "Ada  Lovelace's laptop"),
        (" ada@laptop", "work", "work"),
        ("", "work", "work"),
        ("  \r\n", None, None),
        (" ada\r\n", None, "ada"),
        (" Köln", None, "Köln"),
    ],
)
def test_the_comment_is_the_name_unless_one_is_given(
    client: httpx.Client, comment: str, name: str | None, shown: str | None
) -> None:
    line = public_line()
    key = ok(client.post(KEYS, json={"public_key": line + comment, "name": name}))["key"]
    assert key.get("name") == shown
    tidy = comment.strip()
    assert key["public_key"] == (f"{line} {tidy}" if tidy else line)


def test_a_key_is_registered_once_in_an_account(organization: Organization) -> None:
    line = public_line()
    ok(organization.owner.post(KEYS, json={"public_key": line}))
    for text in (line, f"{line} with another comment"):
        for client in (organization.owner, organization.member):
            refused(client.post(KEYS, json={"public_key": text}), 409, "already_exists")
    elsewhere = ok(organization.owner.post(KEYS, json={"public_key": line}, headers={"X-Chaser-Account": "personal"}))
    assert elsewhere["key"]["fingerprint"] == fingerprint(line)


def test_the_same_bytes_in_another_text_are_the_same_key(client: httpx.Client) -> None:
    line = public_line("rsa3072")
    kind, data = line.split()
    # The last character before the padding has bits that carry nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = f"{kind} {data[:-2]}{alphabet[alphabet.index(data[-2]) + 1]}="
    assert base64.b64decode(other.split()[1]) == base64.b64decode(data)
    ok(client.post(KEYS, json={"public_key": line}))
    refused(client.post(KEYS, json={"public_key": other}), 409, "already_exists")


def malformed() -> dict[str, str]:
    """Texts that are no public key, by what is wrong with them."""
    kind, data = public_line().split()
    point = base64.b64decode(public_line("p256").split()[1])
    off_curve = base64.b64encode(point[:-1] + bytes([point[-1] ^ 1])).decode()
    dsa = base64.b64encode(_text("ssh-dss") + _text("x" * 128) * 4).decode()
    return {
        "nothing": "",
        "words": "not a key",
        "no data": kind,
        "no base64": f"{kind} !!!!",
        "cut short": f"{kind} {data[:-8]}",
        "one byte more": f"{kind} {base64.b64encode(base64.b64decode(data) + b'x').decode()}",
        "another type in front": f"ssh-rsa {data}",
        "two lines": f"{kind} {data}\n{kind} {data}",
        "options in front": f"no-pty {kind} {data}",
        "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
        "a short RSA key": public_line("rsa1024"),
        "an RSA key that is nearly long enough": public_line("rsa2040"),
        "a DSA key": f"ssh-dss {dsa}",
        "a point that is not on its curve": f"ecdsa-sha2-nistp256 {off_curve}",
        "a certificate": f"ssh-ed25519-cert-v01@openssh.com {data}",
        "a control character": f"{kind} {data} a\tb",
        "a comment that never ends": f"{kind} {data} {'x' * 8192}",
    }


def test_what_is_no_public_key_is_refused(client: httpx.Client) -> None:
    before = ok(client.get(KEYS))["keys"]
    for wrong, text in malformed().items():
        answer = client.post(KEYS, json={"public_key": text})
        assert answer.status_code == 400, wrong
        body = refused(answer, 400, "invalid_request")
        assert body["details"][0]["pointer"] == "/public_key", wrong
    assert ok(client.get(KEYS))["keys"] == before


@pytest.mark.parametrize("body", [{}, {"public_key": None}, {"public_key": 1}, {"name": "laptop"}, []])
def test_a_body_without_a_key_is_refused(client: httpx.Client, body: object) -> None:
    refused(client.post(KEYS, json=body), 400, "invalid_request")


@pytest.mark.parametrize("name", [1, "x" * 257])
def test_a_name_of_another_shape_is_refused(client: httpx.Client, name: object) -> None:
    body = refused(client.post(KEYS, json={"public_key": public_line(), "name": name}), 400, "invalid_request")
    assert body["details"][0]["pointer"] == "/name"


def test_a_list_has_ones_own_keys_of_this_account_newest_first(organization: Organization) -> None:
    own = [ok(organization.member.post(KEYS, json={"public_key": public_line()}))["key"] for _ in range(2)]
    ok(organization.owner.post(KEYS, json={"public_key": public_line()}))
    ok(organization.member.post(KEYS, json={"public_key": public_line()}, headers={"X-Chaser-Account": "personal"}))
    assert ok(organization.member.get(KEYS))["keys"] == own[::-1]


def test_only_its_holder_forgets_a_key_and_only_in_its_account(organization: Organization) -> None:
    key = ok(organization.member.post(KEYS, json={"public_key": public_line()}))["key"]["id"]
    path = f"{KEYS}/{key}"
    refused(organization.owner.delete(path), 404, "not_found")
    refused(organization.member.delete(path, headers={"X-Chaser-Account": "personal"}), 404, "not_found")
    answer = organization.member.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    refused(organization.member.delete(path), 404, "not_found")
    assert ok(organization.member.get(KEYS))["keys"] == []


def test_whoever_leaves_frees_their_keys_for_others(organization: Organization) -> None:
    line = public_line()
    ok(organization.member.post(KEYS, json={"public_key": line}))
    ok(organization.owner.delete(f"/v1/accounts/current/members/{organization.people['member'].user_id}"))
    ok(organization.owner.post(KEYS, json={"public_key": line}))


def test_ssh_keys_need_the_scopes_of_keys(organization: Organization, emulator: Running) -> None:
    reader = ok(organization.owner.post("/v1/keys", json={"scopes": ["keys.read"]}))["key"]
    writer = ok(organization.owner.post("/v1/keys", json={"scopes": ["keys.write"]}))["key"]
    with http_of(emulator, writer) as client:
        key = ok(client.post(KEYS, json={"public_key": public_line()}))["key"]
        assert refused(client.get(KEYS), 403, "insufficient_scope")["details"] == {"required": "keys.read"}
    with http_of(emulator, reader) as client:
        assert ok(client.get(KEYS))["keys"] == [key]
        for answer in (client.post(KEYS, json={"public_key": public_line()}), client.delete(f"{KEYS}/{key['id']}")):
            assert refused(answer, 403, "insufficient_scope")["details"] == {"required": "keys.write"}


def test_ssh_keys_are_audited(organization: Organization) -> None:
    line = public_line()
    key = ok(organization.owner.post(KEYS, json={"public_key": line}))["key"]
    refused(organization.owner.post(KEYS, json={"public_key": line}), 409, "already_exists")
    ok(organization.owner.delete(f"{KEYS}/{key['id']}"))
    events = ok(organization.owner.get("/v1/audit/events", params={"resource_type": "ssh_key"}))["events"]
    assert [(one["action"], one["status"]) for one in events] == [
        ("ssh_key.delete", "success"),
        ("ssh_key.create", "failure"),
        ("ssh_key.create", "success"),
    ]
    assert events[0]["resource_id"] == events[2]["resource_id"] == key["id"]
    assert events[2]["metadata"]["fingerprint"] == key["fingerprint"]
    [failure] = failed_audits(organization.owner, "ssh_key.create")
    assert failure["metadata"] == {"code": "already_exists"}


def test_the_official_client_manages_ssh_keys(sdk: ChaserClient) -> None:
    line = public_line()
    key = sdk.ssh_keys.create(f"{line} ada@laptop")
    complete(key, sdk_types.SshKeyInfo, absent=frozenset(["last_used_at"]))
    named = sdk.ssh_keys.create(public_line(), name="work")
    assert named["name"] == "work"
    listed = sdk.ssh_keys.list()
    assert listed[:2] == [named, key]
    with pytest.raises(ChaserApiError) as error:
        sdk.ssh_keys.create(line)
    assert (error.value.status, error.value.code) == (409, "already_exists")
    sdk.ssh_keys.delete(key["id"])
    assert key not in sdk.ssh_keys.list()
