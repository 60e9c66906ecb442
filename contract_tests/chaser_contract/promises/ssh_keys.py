"""SSH keys: their fingerprints, their names, and which lines are keys at all."""

from __future__ import annotations

import base64
import hashlib

from chaser_contract import making
from chaser_contract.arranging import signed_in_peer
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PEER
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, refused

_KNOWN = (
    (
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBE9g5+66mPDCZAy06FxxCdLnAYGj"
        "/ohrLQO71moK9n9b/xou+2uwM0fh8bCZk8zKBZCWtGPZpR/aodS3oRhIhxY=",
        "SHA256:KOq7qWLZCUlDibNrEHiEZidPVD9thEvnHGD9Y9qERls",
    ),
    (
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBAA5oVDtIwyJbmGD91wuqXCCpjC5"
        "7w4Xg8gVDJhZ/A83Uc715k1/EJw/Yr0/jdFCGILLL0S+c3f/792F8fTQrO3Yg/sS1v7yOxEjTGA1iyaQR8nMXuk8Bz6yGXm3B+iZ"
        "+A==",
        "SHA256:ypsGz8l4bNvllu0SSVOzfFXk/pBHCdt7wwZuoCBHaz8",
    ),
    (
        "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAArGZiSyUVcysvjrz2ObEodQ2q9"
        "VvC9z0P84LqCMV8U9MIeuyWXMBXTOqjH1axAkwLj20hC/1IZUI/6Tu6QUXoEugB4VUBo2OB7nv94VD7UIDXF5x7lxA7uqJK5zJ4y"
        "5muQ+OpwYSlSg6PUS/aiVmlvSC7qB4Z1aafRq9HIXQUaKgC1Cw==",
        "SHA256:75fblSnyKRDr9VQ+T+9DVs3Y9GO1mNZ08uEFkiDMFKQ",
    ),
    (
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCq0ilazm7ARApTW1KMet0JSXyz0M319mFsVAxkMsq7TyN26BDRcm8hVwyn691O"
        "ASvAD2i+8+Gq5u8iviIe62r5Gr2w52rg2PQ4MO9Z1/t4w7dlgYAQrxtGUdBw8To+NUOx1Q9iUCB3I6V9sE0PSPvCpBCA8PDhrXqU"
        "mM+mLdfkxtpOLoZwMZg8m5gHRuZ81q2Hf0I0gGir58Q7RPXTJsQp54BGGAUAjm4RqgHtiT/F96xyk5qLFGYVB7t1JmbwtUm0mTKX"
        "SsrJrAGpkpN9HnRpbtVwagP5KpfkhPxE8V1DSXR/jmhEKB5EiNV8fZKDb7IZwnxBVjZyqUO7mEMxxT9l",
        "SHA256:mxaAmz99OalOv3P+E9hb3PHx8XAQR2fNdJz9bk7bx7c",
    ),
    (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMX+mZ9lFpz9BzONrB9bp7KudThQ4VIXvm543YOiaKas",
        "SHA256:je8rk+PF6wU8ltofDpspHqgHUZl7SGdnRmJLR9t1XDk",
    ),
)
"""Keys, and their fingerprints as ssh-keygen prints them."""


@promise()
def one_is_what_was_registered(chaser: Subject) -> None:
    """A key has the line that was sent, and as its name the one that was given, else its comment, else none."""
    for comment, wish, name in (
        ("", {}, None),
        ("", {"name": "laptop"}, "laptop"),
        ("ada@laptop", {}, "ada@laptop"),
        ("ada@laptop", {"name": None}, "ada@laptop"),
        ("ada@laptop", {"name": "work"}, "work"),
        ("two  words", {}, "two  words"),
        ("", {"name": "x" * 256}, "x" * 256),
    ):
        with chaser.case():
            line = making.ssh_line(chaser, comment)
            made = chaser.ask("create-ssh-key", json={"public_key": line, **wish}, expect=200)
            key = made.json["key"]
            is_uuid(made, key, "id")
            holds(made, key, "key", public_key=line, fingerprint=_fingerprint(line))
            equals(made, key.get("name"), name, "`name` is the one that was given, else the comment, else absent")
            lacks(made, key, "last_used_at")
            listed = chaser.ask("list-ssh-keys", expect=200)
            equals(listed, listed.json["keys"][0], key, "a key is listed first, as it was registered")
            chaser.ask("delete-ssh-key", id=key["id"], expect=204)


@promise("emulator")
def is_registered_now(chaser: Subject) -> None:
    """`created_at` of a key is the moment of the clock at which it was registered."""
    then = frozen(chaser)
    made = chaser.ask("create-ssh-key", json={"public_key": making.ssh_line(chaser)}, expect=200)
    is_at(made, made.json["key"], "created_at", then)


@promise("emulator")
def keys_of_all_kinds_are_keys(chaser: Subject) -> None:
    """Ed25519, ECDSA and RSA keys are registered with the SHA-256 fingerprint that OpenSSH prints."""
    org, _ = making.organization(chaser)
    for line, fingerprint in _KNOWN:
        with chaser.case():
            made = org.ask("create-ssh-key", json={"public_key": f"{line} me@here"}, expect=200)
            holds(made, made.json["key"], "key", fingerprint=fingerprint, name="me@here")
            org.ask("delete-ssh-key", id=made.json["key"]["id"], expect=204)


@promise()
def one_is_registered_once(chaser: Subject) -> None:
    """A key that is registered already, whatever its comment or name, is 409 already_exists; once deleted it is not."""
    line = making.ssh_line(chaser)
    made = chaser.ask("create-ssh-key", json={"public_key": f"{line} one"}, expect=200).json["key"]
    for same in (line, f"{line} one", f"{line} two"):
        with chaser.case():
            refused(chaser.ask("create-ssh-key", json={"public_key": same, "name": "x"}), 409, "already_exists")
    listed = chaser.ask("list-ssh-keys", expect=200)
    found = [one for one in listed.json["keys"] if one["fingerprint"] == made["fingerprint"]]
    equals(listed, found, [made], "what is refused leaves the key as it is")
    deleted = chaser.ask("delete-ssh-key", id=made["id"], expect=204)
    deleted.require(deleted.body == b"", "the answer has no body")
    refused(chaser.ask("delete-ssh-key", id=made["id"]), 404, "not_found")
    listed = chaser.ask("list-ssh-keys", expect=200)
    listed.require(made["id"] not in {one["id"] for one in listed.json["keys"]}, "a deleted key is not listed")
    again = chaser.ask("create-ssh-key", json={"public_key": line}, expect=200)
    again.require(again.json["key"]["id"] != made["id"], "a key that is registered anew is another one")
    chaser.ask("delete-ssh-key", id=again.json["key"]["id"], expect=204)


@promise("emulator", "peer")
def one_is_registered_in_several_accounts(chaser: Subject) -> None:
    """One public key can be registered in several accounts, and each lists and deletes its own."""
    line = making.ssh_line(chaser)
    org, _ = making.organization(chaser)
    made = [
        one.ask("create-ssh-key", json={"public_key": line}, expect=200) for one in (chaser.client, org, chaser.peer)
    ]
    ids = [one.json["key"]["id"] for one in made]
    chaser.require(len(set(ids)) == 3, "create-ssh-key: each account has a key of its own", str(ids))
    for client, own in zip((chaser.client, org, chaser.peer), ids, strict=True):
        listed = client.ask("list-ssh-keys", expect=200)
        equals(listed, [one["id"] for one in listed.json["keys"]], [own], "an account lists its own keys")
        for other in ids:
            if other != own:
                refused(client.ask("delete-ssh-key", id=other), 404, "not_found")
    org.ask("delete-ssh-key", id=ids[1], expect=204)
    left = chaser.ask("list-ssh-keys", expect=200)
    left.require(len(left.json["keys"]) == 1, "a key that is deleted in one account stays in the others")


@promise("emulator", "peer")
def one_is_of_one_member(chaser: Subject) -> None:
    """A key that one member has registered is 409 already_exists to another; it opens the account to the first."""
    org, account = making.organization(chaser)
    org.ask("add-current-member", json={"email": PEER, "role": "owner"}, expect=200)
    theirs = chaser.as_(signed_in_peer(chaser).credential, account=account["id"])
    line = {"public_key": making.ssh_line(chaser)}
    made = org.ask("create-ssh-key", json=line, expect=200).json["key"]
    refused(theirs.ask("create-ssh-key", json=line), 409, "already_exists")
    listed = theirs.ask("list-ssh-keys", expect=200)
    equals(listed, listed.json["keys"], [], "what is refused registers no key")
    listed = org.ask("list-ssh-keys", expect=200)
    equals(listed, listed.json["keys"], [made], "the key stays that of the first")


@promise()
def what_is_no_key_is_refused(chaser: Subject) -> None:
    """A line that is no public key of the type it names is 400, as is one that is too long; nothing is registered."""
    before = chaser.ask("list-ssh-keys", expect=200).json
    line = making.ssh_line(chaser)
    kind, data = line.split()
    for bad in (
        "",
        "x",
        kind,
        data,
        f"ssh-rsa {data}",
        f"{kind} {data[:-4]}",
        f"{kind} {data}AAAA",
        f"{kind} {data[:-1]}!",
        f"{kind}  {data}",
        f"{line}\n{line}",
        f"{line} a\0b",
        f"no-pty {line}",
        f"{line} {'x' * 8192}",
        _rsa(chaser, 1024),
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        7,
        None,
    ):
        with chaser.case():
            refused(chaser.ask("create-ssh-key", json={"public_key": bad}), 400, "invalid_request", "/public_key")
    refused(chaser.ask("create-ssh-key", json={"name": "x"}), 400, "invalid_request", "/public_key")
    named = {"public_key": line, "name": "x" * 257}
    refused(chaser.ask("create-ssh-key", json=named), 400, "invalid_request", "/name")
    listed = chaser.ask("list-ssh-keys", expect=200)
    equals(listed, listed.json, before, "what is refused registers no key")
    for missing in (UNKNOWN, "x"):
        refused(chaser.ask("delete-ssh-key", id=missing), 404, "not_found")


def _fingerprint(line: str) -> str:
    """As `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _line(kind: str, *fields: bytes) -> str:
    return f"{kind} {base64.b64encode(b''.join(map(_field, (kind.encode(), *fields)))).decode()}"


def _rsa(chaser: Subject, bits: int) -> str:
    modulus = chaser.random.getrandbits(bits) | 1 << bits - 1 | 1
    return _line("ssh-rsa", (65537).to_bytes(3, "big"), b"\0" + modulus.to_bytes(bits // 8, "big"))
