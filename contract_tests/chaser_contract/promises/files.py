"""Files: what is put into a sandbox under any path comes out of it byte for byte, and nothing leads out of it."""

from __future__ import annotations

import itertools
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from shlex import quote
from urllib.parse import unquote

from hypothesis import strategies as st

from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.sandboxes import run, session, workspace
from chaser_contract.subject import Subject
from chaser_contract.transfers import got, put

LIMIT = 16 * 2**20
"""Bytes that a file may have."""

BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from([b"\r\n", b"--", b"--x\r\n", b"\0", b"\xff\xfe", b"\n", b"\x1a", b"a" * 70, b"\xef\xbb\xbf"]),
        max_size=12,
    ).map(b"".join),
)

_SEGMENT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20),
    st.sampled_from(
        ["a b", " ", "a+b", "100%", "%2e%2e", "%2F", "...", ".hidden", "-rf", "~", "ünïcödé", "日本語", "😀", "a'b",
         'a"b', "a;b=c", "a\\b", "*", "a?b#c", "a&b=c", "x" * 255, "é" * 127, "UPPER", "tab\there"]
    ),
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)  # fmt: skip
PATHS = st.tuples(st.sampled_from(["", "/workspace/", "./", "deep/"]), st.lists(_SEGMENT, min_size=1, max_size=3))
"""Where a path begins, and the names in it."""

_ODD = (
    "a/../b.txt", "//workspace//c.txt", "x" * 255, "/".join("d" * 40), " leads", "trails ", "a\nb",
    "/tmp/outside.txt",  # noqa: S108 - a place that each sandbox has
    "ends\n", "%41", "A", "a", "cafe\u0301", "caf\u00e9", "a+b c%20d", "-", "~", "a:b", "C:\\x", "q?x=1#y", "\ufeffbom",
)  # fmt: skip


@promise()
def any_bytes_come_out_as_they_went_in(chaser: Subject) -> None:
    """A file of any bytes and any size is answered with its path and size, and comes out as it went in."""
    with session(chaser) as one:

        def check(data: bytes) -> None:
            _stored(put(chaser.client, one["id"], "any.bin", data), "/workspace/any.bin", len(data))
            _holds(got(chaser.client, one["id"], "any.bin"), data)

        chaser.for_all(BYTES, check)
        for size in (0, 1, 4095, 4096, 65_535, 65_536, 65_537, 2**20 + 1):
            with chaser.case():
                check(chaser.random.randbytes(size))


@promise()
def any_path_leads_to_its_file(chaser: Subject) -> None:
    """A file goes to and comes from any legal path, relative or absolute, with its own name in the answer."""
    with session(chaser) as one:

        def check(path: str) -> None:
            data = path.encode() + b"!"
            whole = "/" + posixpath.normpath(posixpath.join("/workspace", path)).lstrip("/")
            _stored(put(chaser.client, one["id"], path, data), whole, len(data))
            below = [posixpath.relpath(whole, "/workspace")] if whole.startswith("/workspace/") else []
            for again in (path, whole, *below):
                answer = got(chaser.client, one["id"], again)
                _holds(answer, data)
                name = _name_in(answer)
                answer.require(
                    name == posixpath.basename(whole),
                    "Content-Disposition has the base name of the file, as RFC 6266 writes it",
                    f"{answer.headers.get('content-disposition')!r} names {name!r}",
                )

        # Each in a folder of its own: the file of one may have the name of another's folder.
        folders = itertools.count(1)
        chaser.for_all(
            PATHS.map(lambda drawn: (drawn[0], "/".join(drawn[1]))),
            lambda drawn: check(f"{drawn[0]}{next(folders)}/{drawn[1]}"),
            examples=2 * chaser.examples,
        )
        for path in _ODD:
            with chaser.case():
                check(path)
        for path in _ODD:
            with chaser.case():
                # None has taken the place of another that is written much alike.
                _holds(got(chaser.client, one["id"], path), path.encode() + b"!")
        put(chaser.client, one["id"], "a b+c", b"plus")
        target = f"/v1/sessions/{one['id']}/download?path=a+b%2Bc"
        request = chaser.http.build_request("GET", target, headers={"Authorization": f"Bearer {chaser.api_key}"})
        chaser.require(
            chaser.client.send(request).body == b"plus",
            "download-session-file: a + in a query is a space, and %2B is a +",
            target,
        )


@promise()
def a_file_is_replaced_by_the_next(chaser: Subject) -> None:
    """A second upload to a path replaces the file, whatever the sizes, and leaves its neighbours alone."""
    with session(chaser) as one:

        def check(contents: list[bytes]) -> None:
            for data in contents:
                _stored(put(chaser.client, one["id"], "d/same", data), "/workspace/d/same", len(data))
                _holds(got(chaser.client, one["id"], "/workspace/d/same"), data)
            _holds(got(chaser.client, one["id"], "d/same2"), b"neighbour")

        put(chaser.client, one["id"], "d/same2", b"neighbour")
        chaser.for_all(st.lists(BYTES, min_size=2, max_size=3), check, examples=5)


@promise()
def a_file_is_replaced_in_one_step(chaser: Subject) -> None:
    """Whoever reads while a file is replaced gets the old one or the new one, and nothing between."""
    with session(chaser) as one, ThreadPoolExecutor(1) as pool:
        contents = [bytes([letter]) * (700_000 + letter) for letter in b"abc"]
        put(chaser.client, one["id"], "f", contents[0])

        def write() -> None:
            for turn in range(9):
                put(chaser.client, one["id"], "f", contents[turn % 3])

        writing = pool.submit(write)
        while not writing.done():
            answer = got(chaser.client, one["id"], "f")
            answer.require(
                answer.status == 200 and answer.body in contents,
                "a file that is being replaced is the old or the new one",
                f"{answer.status}, {len(answer.body)} bytes of {sorted(set(answer.body))}",
            )
        writing.result()


@promise()
def a_file_has_at_most_16_mib(chaser: Subject) -> None:
    """A file of 16 MiB goes in and comes out, and one more byte is refused with 413 and stored nowhere."""
    with session(chaser) as one:
        data = chaser.random.randbytes(4096) * (LIMIT // 4096)
        _stored(put(chaser.client, one["id"], "large", data), "/workspace/large", LIMIT)
        _holds(got(chaser.client, one["id"], "large"), data)
        put(chaser.client, one["id"], "larger", data + b"x").must_be(413, "payload_too_large", because="beyond 16 MiB")
        put(chaser.client, one["id"], "large", data + b"x").must_be(413, "payload_too_large", because="beyond 16 MiB")
        got(chaser.client, one["id"], "larger").must_be(404, "not_found", because="for what was refused")
        _holds(got(chaser.client, one["id"], "large"), data)


@promise()
def nothing_leads_out_of_the_workspace(chaser: Subject) -> None:
    """A path that leaves /workspace by `..`, a folder, or below a file is refused with 400, a missing file with 404."""
    with session(chaser) as one:
        put(chaser.client, one["id"], "folder/file", b"x").must_be(200)
        for path in ("../x", "a/../../x", "/workspace/../x", "folder/../../etc/x", "..", "a/../.."):
            with chaser.case():
                put(chaser.client, one["id"], path, b"x").must_be(400, "invalid_request", because=f"to {path}")
                got(chaser.client, one["id"], path).must_be(400, "invalid_request", because=f"from {path}")
        for path in ("folder", "/workspace/folder", ".", "/workspace", "folder/."):
            with chaser.case():
                put(chaser.client, one["id"], path, b"x").must_be(
                    400, "invalid_request", because=f"to the folder {path}"
                )
                got(chaser.client, one["id"], path).must_be(400, "invalid_request", because=f"from the folder {path}")
        put(chaser.client, one["id"], "folder/file/x", b"x").must_be(400, "invalid_request", because="below a file")
        for path in ("missing", "folder/missing", "none/missing", "/workspace/missing", "FOLDER/file"):
            with chaser.case():
                got(chaser.client, one["id"], path).must_be(404, "not_found", because=f"for {path}, which is not there")
        _holds(got(chaser.client, one["id"], "folder/file"), b"x")


@promise()
def wrong_uploads_are_refused(chaser: Subject) -> None:
    """An upload without a path or a file, to a path that is none, or that is no form, is refused and stores nothing."""
    with session(chaser) as one:
        for path, data in (("x", None), (None, b"x"), ("", b"x"), ("x/", b"x"), ("a\0b", b"x"), ("/", b"x")):
            with chaser.case():
                answer = put(chaser.client, one["id"], path, data)
                answer.must_be(400, "invalid_request", because=f"to {path!r} with {data!r}")
        long = "/".join("n" * 200 for _ in range(21))
        put(chaser.client, one["id"], long, b"x").must_be(
            400, "invalid_request", because="to a path of 4,220 characters"
        )
        place = {"id": one["id"]}
        for media_type in ("application/json", "text/plain", "application/octet-stream"):
            answer = chaser.ask("upload-session-file", content=b"{}", media_type=media_type, **place)
            answer.must_be(415, "unsupported_media_type", because=f"for {media_type}")
        for query in ({}, {"path": ""}, {"path": "x/"}, {"path": "a\0b"}):
            with chaser.case():
                answer = chaser.ask("download-session-file", query=query, **place)
                answer.must_be(400, "invalid_request", because=f"for {query}")
        got(chaser.client, one["id"], "x").must_be(404, "not_found", because="for what was refused")


@promise()
def files_stay_with_their_workspace(chaser: Subject) -> None:
    """Files outlive the session of a workspace, are in no other sandbox, and go with an ephemeral one."""
    with workspace(chaser) as room, session(chaser) as other:
        with session(chaser, workspace=room["id"]) as first:
            put(chaser.client, first["id"], "kept/a", b"kept")
            got(chaser.client, other["id"], "kept/a").must_be(404, "not_found", because="in another sandbox")
            chaser.ask("terminate-session", id=first["id"], expect=204)
            for answer in (put(chaser.client, first["id"], "a", b"x"), got(chaser.client, first["id"], "kept/a")):
                answer.must_be(409, "not_running", because="in a session that has ended")
        with session(chaser, workspace=room["id"]) as second:
            chaser.require(second["id"] != first["id"], "create-session: what has ended is not answered again", "it is")
            _holds(got(chaser.client, second["id"], "kept/a"), b"kept")
        for answer in (put(chaser.client, "no-such-session", "a", b"x"), got(chaser.client, "no-such-session", "a")):
            answer.must_be(404, "not_found", because="in a session that never was")


@promise("peer")
def files_of_another_account_are_not_there(chaser: Subject) -> None:
    """Nobody puts a file into, or takes one out of, a sandbox of another account."""
    with session(chaser) as one:
        put(chaser.client, one["id"], "a", b"ours")
        put(chaser.peer, one["id"], "a", b"theirs").must_be(404, "not_found", because="in another account")
        got(chaser.peer, one["id"], "a").must_be(404, "not_found", because="in another account")
        _holds(got(chaser.client, one["id"], "a"), b"ours")


@promise("commands")
def commands_and_transfers_see_the_same_files(chaser: Subject) -> None:
    """A file that is put is there for commands, of mode 0644 and the session's user; what they write can be fetched."""
    with session(chaser) as one:
        folders = itertools.count(1)

        def check(drawn: tuple[list[str], bytes]) -> None:
            names, data = drawn
            path = "/".join([str(next(folders)), *names])
            whole = put(chaser.client, one["id"], path, data).must_be(200).json["path"]
            seen = run(chaser, one["id"], f"wc -c < {quote(whole)}; od -An -v -tx1 {quote(whole)} | tr -d ' \\n'")
            size, _, content = seen.json["output"].partition("\n")
            seen.require(
                (size.strip(), content) == (str(len(data)), data.hex()), "a command reads what was put", f"{content}"
            )
            octal = "".join(f"\\{byte:03o}" for byte in data[::-1])
            run(chaser, one["id"], f"printf '{octal}' > {quote(whole)}")
            _holds(got(chaser.client, one["id"], path), data[::-1])

        names = st.lists(_SEGMENT, min_size=1, max_size=2)
        chaser.for_all(st.tuples(names, BYTES), check, examples=chaser.examples // 2)
        put(chaser.client, one["id"], "new/file", b"x")
        run(chaser, one["id"], "chmod 600 new/file")
        put(chaser.client, one["id"], "new/file2", b"x")
        stat = run(chaser, one["id"], 'stat -c "%a %U" new/file2; id -un')
        mode, user = stat.json["output"].splitlines()[0].split(" ")
        stat.require(
            (mode, user) == ("644", stat.json["output"].splitlines()[1]), "a file is 0644, of the session's user"
        )
        run(
            chaser,
            one["id"],
            f"head -c {LIMIT + 1} /dev/zero > large; ln -s /etc out; ln -s /etc/passwd pass; mkfifo p",
        )
        got(chaser.client, one["id"], "large").must_be(413, "payload_too_large", because="beyond 16 MiB")
        for path in ("out/passwd", "pass"):
            got(chaser.client, one["id"], path).must_be(
                400, "invalid_request", because="through a symlink that leads out"
            )
        put(chaser.client, one["id"], "out/made", b"x").must_be(400, "invalid_request", because="through a symlink out")
        for path in ("p", "/dev/zero"):
            got(chaser.client, one["id"], path).must_be(400, "invalid_request", because="for a device")


def _stored(answer: Answer, path: str, size: int) -> None:
    answer.must_be(200)
    answer.require(answer.json == {"path": path, "size": size}, f"it is answered with {path!r} and {size} bytes"[:300])


def _holds(answer: Answer, data: bytes) -> None:
    answer.must_be(200)
    answer.require(
        answer.body == data,
        "a file comes out as it went in",
        f"{len(answer.body)} bytes {answer.body[:60]!r} and not {len(data)} bytes {data[:60]!r}",
    )
    length = answer.headers.get("content-length")
    answer.require(length in (None, str(len(data))), "Content-Length is the size of the file", f"{length}")
    kind = answer.headers.get("content-type")
    answer.require(kind == "application/octet-stream", "a file is application/octet-stream", f"{kind}")


def _name_in(answer: Answer) -> str | None:
    """The file name of Content-Disposition, the exact one where there are two."""
    header = answer.headers.get("content-disposition", "")
    if not header.startswith("attachment;"):
        return None
    if exact := re.search(r"filename\*=UTF-8''([^;]+)", header):
        return unquote(exact[1], errors="strict")
    plain = re.search(r'filename="((?:[^"\\]|\\.)*)"', header)
    return None if plain is None else re.sub(r"\\(.)", r"\1", plain[1])
