"""The tool `terminal`: commands as the routes run them, and operations on files, which change what they say."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from chaser_contract.model_context import done, refusal, wrong
from chaser_contract.promises import promise
from chaser_contract.sandboxes import saying, session, workspace
from chaser_contract.subject import Subject
from chaser_contract.transfers import got, put

_WHAT: tuple[dict[str, Any], ...] = ({"command": "echo x"}, {"xml": '<list_files path="."/>'})

_LINES = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12),
        st.sampled_from(["\n", "\r\n", "\n\n"]),
    ),
    max_size=6,
)
"""Lines with their ends; characters that XML can hold."""


@promise()
def a_command_is_answered_as_by_the_route(chaser: Subject) -> None:
    """A command by the tool gives what the route gives, and is an error where its exit code is not 0."""
    with session(chaser) as one:
        for data, code in ((b"hello\n", 0), (b"", 0), ("ü\0\n".encode() + b"\xff", 0), (b"bad\n", 3), (b"", 255)):
            for word in ("command", "cmd"):
                with chaser.case():
                    command = saying(chaser, data, exit_code=code)
                    given = done(chaser.client, "terminal", failed=code != 0, session_id=one["id"], **{word: command})
                    route = chaser.ask("exec-session", id=one["id"], json={"command": command}, expect=200)
                    _same(chaser, given, route.json, "terminal gives what exec-session answers")
        late = done(chaser.client, "terminal", failed=True, session_id=one["id"], command="sleep 600", timeout_ms=30.5)
        chaser.require(
            (late["status"], late["exit_code"]) == ("timed_out", 124),
            "mcp-handler: a command of terminal whose time is up is timed_out, with 124",
            f"{late}",
        )


@promise()
def it_runs_where_it_is_told_to(chaser: Subject) -> None:
    """The tool uses the session that is named before the rest, the live one of a workspace, or a fresh one."""
    with workspace(chaser) as room, session(chaser) as one:
        first = done(chaser.client, "terminal", workspace=room["name"], command="echo x")
        second = done(chaser.client, "terminal", workspace=room["id"], xml='<list_files path="."/>')
        for given in (first, second):
            found = {name: given.get(name) for name in ("workspace", "workspace_id", "ephemeral", "session_id")}
            due = {"workspace": room["name"], "workspace_id": room["id"], "ephemeral": False}
            _same(chaser, found, {**due, "session_id": first["session_id"]}, "terminal says where it was")
        named = done(chaser.client, "terminal", session_id=one["id"], workspace=room["name"], command="echo x")
        _same(chaser, named["session_id"], one["id"], "the session that is named goes before the rest")
        live = chaser.ask("list-sessions", expect=200).json["total"]
        for what in _WHAT:
            with chaser.case():
                alone = done(chaser.client, "terminal", ephemeral=True, **what)
                _same(chaser, (alone["ephemeral"], alone.get("workspace_id")), (True, None), "it is ephemeral")
                ended = chaser.ask("get-session", id=alone["session_id"], expect=200)
                ended.require(ended.json["status"] == "terminated", "an ephemeral sandbox ends with its answer")
        _same(chaser, chaser.ask("list-sessions", expect=200).json["total"], live, "none goes on")
        for what in _WHAT:
            with chaser.case():
                refusal(chaser.client, "terminal", "not_found", session_id="nope", **what)
                refusal(chaser.client, "terminal", "not_found", workspace="nope", **what)
                if chaser.peer_key is not None:
                    refusal(chaser.peer, "terminal", "not_found", session_id=one["id"], **what)
        chaser.ask("terminate-session", id=one["id"], expect=204)
        refusal(chaser.client, "terminal", "not_running", session_id=one["id"], command="echo x")


@promise()
def any_text_is_written_and_read(chaser: Subject) -> None:
    """`write_file` stores the very text, and `read_file` gives it back, whole or the lines that are asked for."""
    with session(chaser) as one:

        def check(drawn: tuple[list[tuple[str, str]], str, bool]) -> None:
            lines, last, cdata = drawn
            text = "".join(line + end for line, end in lines) + last
            raw = text.encode()
            cdata = cdata and "]]>" not in text
            inner = f"<![CDATA[{text}]]>" if cdata else escape(text).replace("\r", "&#13;")
            given = _xml(chaser, one["id"], f"<write_file path={quoteattr('a b/ü.txt')}>{inner}</write_file>")
            due = {"kind": "write_file", "session_id": one["id"], "path": "/workspace/a b/ü.txt", "size": len(raw)}
            _same(chaser, {name: given[name] for name in due}, due, "write_file says what it has written")
            stored = got(chaser.client, one["id"], "a b/ü.txt").must_be(200)
            stored.require(stored.body == raw, "write_file stores the very text", f"{stored.body!r} and not {raw!r}")
            _reads(chaser, one["id"], text)

        texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)
        chaser.for_all(st.tuples(_LINES, texts, st.booleans()), check)


@promise()
def an_edit_replaces_just_one_place(chaser: Subject) -> None:
    """`apply_edit` replaces what occurs exactly once, says where, and changes nothing otherwise."""
    with session(chaser) as one:
        for before, search, replace, after, line in (
            ("a\nb\nc\n", "b", "x\ny", "a\nx\ny\nc\n", 2), ("one", "one", "", "", 1), ("äöü", "ö", "<&>", "ä<&>ü", 1),
            ("a b\n a b c\n", " a b c", "!", "a b\n!\n", 2), ("1\n2\n3", "2\n3", "x", "1\nx", 2),
        ):  # fmt: skip
            with chaser.case():
                put(chaser.client, one["id"], "f", before.encode()).must_be(200)
                given = _xml(chaser, one["id"], _edit("f", search, replace))
                due = {"kind": "apply_edit", "path": "/workspace/f", "line": line, "size": len(after.encode())}
                _same(chaser, {name: given[name] for name in due}, due, "apply_edit says what it has done")
                stored = got(chaser.client, one["id"], "f")
                stored.require(stored.body.decode() == after, "apply_edit replaces that place", f"{stored.body!r}")
        for before, search in (("a a", "a"), ("abab", "ab"), ("aaa", "aa"), ("abc", "x"), ("abc", "B")):
            with chaser.case():
                put(chaser.client, one["id"], "f", before.encode()).must_be(200)
                refusal(chaser.client, "terminal", "invalid_request", session_id=one["id"], xml=_edit("f", search, "y"))
                stored = got(chaser.client, one["id"], "f")
                stored.require(stored.body.decode() == before, "an edit that does not fit once changes nothing")
        refusal(chaser.client, "terminal", "not_found", session_id=one["id"], xml=_edit("none", "a", "b"))


@promise()
def a_folder_is_listed_as_it_is(chaser: Subject) -> None:
    """`list_files` lists a folder, or all below it, with types and sizes, in the order of a tree."""
    with session(chaser) as one:
        for path, data in (("b.txt", b"12345"), ("a/z", b""), ("a/deep/ü", b"x" * 300), ("c d", b"1")):
            put(chaser.client, one["id"], path, data).must_be(200)
        top: list[dict[str, Any]] = [
            {"path": "a", "type": "directory"},
            {"path": "b.txt", "type": "file", "size": 5},
            {"path": "c d", "type": "file", "size": 1},
        ]
        below: list[dict[str, Any]] = [
            {"path": "a/deep", "type": "directory"},
            {"path": "a/deep/ü", "type": "file", "size": 300},
            {"path": "a/z", "type": "file", "size": 0},
        ]
        for xml, path, due in (
            ('<list_files path="."/>', "/workspace", top),
            ('<list_files path="/workspace" recursive="false"/>', "/workspace", top),
            ('<list_files path="." recursive="true"/>', "/workspace", [top[0], *below, *top[1:]]),
            (
                '<list_files path="a" recursive="true"/>',
                "/workspace/a",
                [{**entry, "path": entry["path"][2:]} for entry in below],
            ),
        ):
            with chaser.case():
                given = _xml(chaser, one["id"], xml)
                found = (given["kind"], given["path"], given["truncated"], given["entries"])
                _same(chaser, found, ("list_files", path, False, due), f"{xml} lists what is there")
        for xml, code in (
            ('<list_files path="none"/>', "not_found"), ('<list_files path="b.txt"/>', "invalid_request"),
            ('<list_files path=".."/>', "invalid_request"), ('<read_file path="a"/>', "invalid_request"),
            ('<read_file path="none"/>', "not_found"), ('<read_file path="../x"/>', "invalid_request"),
            ('<write_file path="../x">y</write_file>', "invalid_request"),
            ('<write_file path="a">y</write_file>', "invalid_request"),
        ):  # fmt: skip
            with chaser.case():
                refusal(chaser.client, "terminal", code, session_id=one["id"], xml=xml)


@promise()
def what_is_no_operation_is_refused(chaser: Subject) -> None:
    """XML that is not well-formed, not one of the four operations, or has an entity or a document type, is refused."""
    entity = '<!DOCTYPE a [<!ENTITY x "y">]><write_file path="f">&x;</write_file>'
    with session(chaser) as one:
        for xml in (
            "read", "<read_file", '<read_file path="f">', "<read_file/>", '<read_file path=""/>', '<delete path="f"/>',
            '<read_file path="f" mode="r"/>', '<read_file path="f" start_line="0"/>',
            '<list_files path="." recursive="1"/>',
            '<read_file path="f" start_line="3" end_line="2"/>', '<write_file path="f"><b/></write_file>', entity,
            '<write_file path="f">&y;</write_file>', '<apply_edit path="f"><search>a</search></apply_edit>',
            '<apply_edit path="f"><search></search><replace>a</replace></apply_edit>',
            '<write_file path="f">a</write_file><write_file path="g">b</write_file>',
            "<!DOCTYPE a><read_file path='f'/>",
        ):  # fmt: skip
            with chaser.case():
                _, result_or_none = _outcome(chaser, one["id"], xml)
                chaser.require(
                    result_or_none is None, f"mcp-handler: {xml} is refused as no operation", f"{result_or_none}"
                )
        wrong(chaser.client, "terminal", "xml", session_id=one["id"], xml="")
        got(chaser.client, one["id"], "f").must_be(404, "not_found", because="for what was refused")


def _outcome(chaser: Subject, session_id: str, xml: str) -> tuple[str, Any]:
    """What an operation gave; None where it was refused, be it as wrong arguments or as invalid_request."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = {"name": "terminal", "arguments": {"session_id": session_id, "xml": xml}}
    told = chaser.ask("mcp-handler", json={**body, "params": params}, expect=200).json
    if "error" in told:
        return str(told["error"]["code"]), None
    result = told["result"]
    return "", None if result["isError"] else result["structuredContent"]


def _reads(chaser: Subject, session_id: str, text: str) -> None:
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    whole = _xml(chaser, session_id, '<read_file path="a b/ü.txt"/>')
    _same(chaser, (whole["content"], whole["size"]), (text, len(text.encode())), "read_file gives the very text")
    total = text.count("\n") + (1 if text and not text.endswith("\n") else 0)
    counts = (whole["start_line"], whole["end_line"], whole["total_lines"])
    _same(chaser, counts, (1, total, total), "read_file counts the lines")
    if total > 1:
        start = chaser.random.randint(1, total)
        end = chaser.random.randint(start, total + 2)
        part = _xml(chaser, session_id, f'<read_file path="a b/ü.txt" start_line="{start}" end_line="{end}"/>')
        due = ("".join(lines[start - 1 : end]), start, min(end, total), total)
        found = (part["content"], part["start_line"], part["end_line"], part["total_lines"])
        _same(chaser, found, due, f"lines {start} to {end} are read, with their ends")


def _edit(path: str, search: str, replace: str) -> str:
    return (
        f"<apply_edit path={quoteattr(path)}><search>{escape(search)}</search>"
        f"<replace>{escape(replace)}</replace></apply_edit>"
    )


def _xml(chaser: Subject, session_id: str, xml: str) -> Any:
    given = done(chaser.client, "terminal", session_id=session_id, xml=xml)
    _same(chaser, given["session_id"], session_id, "an operation says in which session it was done")
    return given


def _same(chaser: Subject, found: object, due: object, promised: str) -> None:
    chaser.require(found == due, f"mcp-handler: {promised}", f"{found!r} and not {due!r}"[:500])
