"""Commands that are waited for: what goes into one arrives, and how it ended is told as it was."""

from __future__ import annotations

from shlex import quote

from hypothesis import strategies as st

from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.sandboxes import echoing, none_sleeps, pieces_of, run, saying, session, stubbed, workspace
from chaser_contract.subject import Subject

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
"""Whatever can stand in an argument or a variable."""

LIMIT = 2**20
"""Bytes of output that an answer holds."""


@promise()
def tells_how_it_ended(chaser: Subject) -> None:
    """The answer to a command says which it was, where it ran, that it has ended, and how."""
    spaced = "  echo hello world \n"
    stubbed(chaser, {"command": spaced, "output": "hello world\n"})
    with session(chaser) as one, workspace(chaser) as room, session(chaser, workspace=room["name"]) as kept:
        for place, expected in (
            (one, {"ephemeral": True, "workspace": None, "workspace_id": None}),
            (kept, {"ephemeral": False, "workspace": room["name"], "workspace_id": room["id"]}),
        ):
            with chaser.case():
                for command in (spaced, "echo hello  world"):
                    answer = run(chaser, place["id"], command)
                    _fields(answer, command, place["id"], 0, "hello world\n")
                    handle = run(chaser, place["id"], command, background=True).json["command_id"]
                    told = chaser.ask("get-session-command", id=place["id"], cid=handle, expect=200)
                    told.require(told.json["command"] == command, "`command` is what was sent", told.json["command"])
                for name, value in expected.items():
                    found = answer.json.get(name)
                    answer.require(found == value, f"`{name}` of an answer is {value!r} there", f"it is {found!r}")
        same = chaser.ask("exec-sandbox", json={"command": "echo x", "workspace": room["id"]}, expect=200)
        _fields(same, "echo x", kept["id"], 0, "x\n")


@promise()
def every_exit_code_arrives(chaser: Subject) -> None:
    """A command that ends with any code from 0 to 255 is a success of the call, which tells the code."""
    drawn = chaser.random.sample(range(256), 16)
    with session(chaser) as one:
        for code in sorted({0, 1, 2, 124, 126, 127, 128, 129, 130, 137, 143, 254, 255, *drawn}):
            with chaser.case():
                _fields(run(chaser, one["id"], f"exit {code}"), f"exit {code}", one["id"], code, "")


@promise()
def any_output_arrives(chaser: Subject) -> None:
    """The output of a command is what it wrote: text as it is, and U+FFFD for bytes that are no UTF-8."""
    with session(chaser) as one:

        def check(drawn: tuple[bytes, int]) -> None:
            data, code = drawn
            command = saying(chaser, data, exit_code=code)
            _fields(run(chaser, one["id"], command), command, one["id"], code, data.decode("utf-8", "replace"))

        pieces = st.one_of(TEXT.map(str.encode), st.binary(max_size=20))
        lines = st.lists(pieces, max_size=6).map(b"".join)
        chaser.for_all(st.tuples(lines, st.sampled_from([0, 0, 1, 77])), check)


@promise()
def output_beyond_1_mib_is_cut_between_characters(chaser: Subject) -> None:
    """An answer holds the first 1 MiB of output, cut at a character's edge, and says whether there was more."""
    with session(chaser) as one:
        for pad, character, count in (
            ("", "x", LIMIT),
            ("", "x", LIMIT + 1),
            ("BEGIN", "é", LIMIT // 2 + 9),
            ("ab", "€", LIMIT // 3 + 9),
        ):
            with chaser.case():
                whole = pad + character * count
                size = len(whole.encode())
                command = f"printf {pad or '%.0s.'}; yes {character} | tr -d '\\n' | head -c {size - len(pad)}"
                if pad == "":
                    command = command.partition("; ")[2]
                stubbed(chaser, {"command": command, "output": pieces_of(whole.encode())})
                expected = whole.encode()[:LIMIT].decode("utf-8", "ignore")
                answer = run(chaser, one["id"], command)
                output, cut = answer.json.get("output"), answer.json.get("output_truncated")
                answer.require(cut is (size > LIMIT), f"`output_truncated` is {size > LIMIT} of {size} bytes", f"{cut}")
                answer.require(
                    output == expected,
                    f"of {size} bytes the first {len(expected.encode())} are answered",
                    f"it is {len(output.encode())} bytes, from {output[:9]!r} to {output[-9:]!r}",
                )


@promise("commands")
def any_arguments_arrive(chaser: Subject) -> None:
    """Any text that can be an argument arrives in the command as it was written: quotes, newlines, all of Unicode."""
    with session(chaser) as one:

        def check(words: list[str]) -> None:
            command = " ".join(["printf", "'<%s>'", *map(quote, words)])
            answer = run(chaser, one["id"], command)
            _fields(answer, command, one["id"], 0, "".join(f"<{word}>" for word in words))

        odd = st.sampled_from(
            ["'", '"', "\\", "$HOME", "`id`", "\n", "\r\n", " ", "*", "~", "!", "%s", "-n", "😀", "ß"]
        )
        word = st.lists(st.one_of(odd, TEXT), min_size=1, max_size=3).map("".join)
        chaser.for_all(st.lists(word, min_size=1, max_size=4), check)


@promise("commands")
def any_environment_arrives(chaser: Subject) -> None:
    """Variables of any name and any value are there in the command that they are sent with, and in no other."""
    with session(chaser) as one:

        def check(env: dict[str, str]) -> None:
            command = "; ".join(["true", *(f"printf '<%s>' \"${{{name}-unset}}\"" for name in env)])
            answer = run(chaser, one["id"], command, env=env)
            _fields(answer, command, one["id"], 0, "".join(f"<{value}>" for value in env.values()))
            later = run(chaser, one["id"], command)
            _fields(later, command, one["id"], 0, "<unset>" * len(env))

        names = st.from_regex(r"[Vv_][A-Za-z0-9_]{1,12}Q", fullmatch=True)
        chaser.for_all(st.dictionaries(names, TEXT, max_size=4), check)


@promise("commands")
def any_input_arrives(chaser: Subject) -> None:
    """`stdin` is what the command reads, and then its input ends; without it there is nothing to read."""
    with session(chaser) as one:

        def check(text: str) -> None:
            answer = run(chaser, one["id"], "cat; echo .", stdin=text)
            _fields(answer, "cat; echo .", one["id"], 0, f"{text}.\n")

        chaser.for_all(TEXT, check)
        for body in ({}, {"stdin": None}, {"stdin": ""}):
            _fields(run(chaser, one["id"], "cat; echo .", **body), "cat; echo .", one["id"], 0, ".\n")
        large = run(chaser, one["id"], "wc -c", stdin="e" * 800_000)
        large.require(large.json["output"].split() == ["800000"], "800,000 bytes of input arrive")


@promise("commands")
def stdout_and_stderr_come_in_the_order_of_writing(chaser: Subject) -> None:
    """What a command writes to stdout and to stderr is one output, in the order in which it was written."""
    with session(chaser) as one:

        def check(lines: list[tuple[bool, str]]) -> None:
            said = [f"printf %s {text}{' >&2' if error else ''}" for error, text in lines]
            answer = run(chaser, one["id"], "; ".join(said))
            _fields(answer, "; ".join(said), one["id"], 0, "".join(text for _, text in lines))

        word = st.text("abcé0123", min_size=1, max_size=4)
        chaser.for_all(st.lists(st.tuples(st.booleans(), word), min_size=1, max_size=12), check)


@promise("commands")
def a_signal_is_told_as_128_and_its_number(chaser: Subject) -> None:
    """A command that a signal ends has 128 and the number of the signal as its exit code."""
    numbers = {"HUP": 1, "INT": 2, "ABRT": 6, "KILL": 9, "USR1": 10, "SEGV": 11, "PIPE": 13, "TERM": 15}
    with session(chaser) as one:
        for name, number in numbers.items():
            with chaser.case():
                command = f"printf before; kill -{name} $$; sleep 5; printf after"
                _fields(run(chaser, one["id"], command), command, one["id"], 128 + number, "before")


@promise("commands")
def a_folder_is_where_the_command_runs(chaser: Subject) -> None:
    """A command runs in `cwd`, which is /workspace where none is named; one that is not there is refused."""
    with session(chaser) as one:
        folder = "/workspace/a b/ünder's"
        run(chaser, one["id"], f"mkdir -p {quote(folder)}; touch file")
        for body, where in (
            ({}, "/workspace"),
            ({"cwd": None}, "/workspace"),
            ({"cwd": "/"}, "/"),
            ({"cwd": "/tmp"}, "/tmp"),  # noqa: S108 - a name
            ({"cwd": folder}, folder),
        ):
            with chaser.case():
                _fields(run(chaser, one["id"], "pwd", **body), "pwd", one["id"], 0, f"{where}\n")
        for cwd in ("/workspace/missing", "/workspace/file", "/nowhere/at all"):
            with chaser.case():
                answer = chaser.ask("exec-session", id=one["id"], json={"command": "touch made", "cwd": cwd})
                answer.must_be(400, "invalid_request", because=f"where there is no folder {cwd}")
        kept = run(chaser, one["id"], "ls")
        kept.require("made" not in kept.json["output"], "a command that is refused does not run")


@promise("commands")
def a_user_is_who_runs_the_command(chaser: Subject) -> None:
    """A command runs as the `user` that is named, or as the sandbox's own; one that is not there is refused."""
    with session(chaser) as one:
        usual = run(chaser, one["id"], "id -un").json["output"].strip()
        named = run(chaser, one["id"], "id -un", user=usual)
        _fields(named, "id -un", one["id"], 0, f"{usual}\n")
        for user in ("nobody-of-that-name", "424242x"):
            answer = chaser.ask("exec-session", id=one["id"], json={"command": "id", "user": user})
            answer.must_be(400, "invalid_request", because=f"where there is no user {user}")


@promise()
def what_is_not_there_cannot_run_it(chaser: Subject) -> None:
    """A `user` or a `cwd` that the sandbox does not have is refused with 400, and leaves no command behind."""
    with session(chaser) as one:
        for wrong in ({"user": "nobody-of-that-name"}, {"user": "424242x"}, {"cwd": "/workspace/missing"}):
            for how in ({}, {"background": True}):
                with chaser.case():
                    answer = chaser.ask("exec-session", id=one["id"], json={"command": "echo x", **wrong, **how})
                    answer.must_be(400, "invalid_request", because=f"for {wrong}")
        listed = chaser.ask("list-session-commands", id=one["id"], expect=200)
        listed.require(listed.json["commands"] == [], "a command that is refused is not listed", f"{listed.json}")


@promise()
def input_is_read_to_its_end(chaser: Subject) -> None:
    """`stdin` is read as it was sent, to its end, whatever it ends with."""
    with session(chaser) as one:
        command = echoing(chaser)
        for text in ("one", "one\n", "\n\n", "é\r\nü", " ", "x" * 200_000):
            with chaser.case():
                _fields(run(chaser, one["id"], command, stdin=text), command, one["id"], 0, text)


@promise("commands")
def a_shell_reads_the_command(chaser: Subject) -> None:
    """A command is a shell's: pipes, variables, several lines and here-documents mean what they mean there."""
    with session(chaser) as one:
        for command, output in (
            ("A=1; echo $((A + 1)) | tr 2 3 && echo ok || echo no", "3\nok\n"),
            ("cat <<'END'\n$x 'y'\nEND\nfor i in a b; do\n  printf $i\ndone", "$x 'y'\nab"),
            ("# a comment\necho done", "done\n"),
            ("(exit 3); echo $?", "3\n"),
            ("echo one > f; cat f f; rm f", "one\none\n"),
            ("printf 'a\\0b' | wc -c | tr -d ' '", "3\n"),
        ):
            with chaser.case():
                _fields(run(chaser, one["id"], command), command, one["id"], 0, output)
        chaser.begin()
        missing = run(chaser, one["id"], "no-such-program-at-all")
        missing.require(missing.json["exit_code"] == 127, "a program that is not there is 127")
        missing.require("no-such-program-at-all" in missing.json["output"], "the shell says what is not found")


@promise("commands")
def a_command_whose_time_is_up_is_killed_with_all_it_started(chaser: Subject) -> None:
    """When `timeout_ms` are over the whole process group is killed; the answer is 124 and the output so far."""
    with session(chaser) as one:
        for ignored in ("", "trap '' TERM INT HUP; "):
            with chaser.case():
                command = f"{ignored}(sleep 98765 & sleep 98765) & printf before; sleep 98765; printf after"
                answer = run(chaser, one["id"], command, timeout_ms=300)
                _fields(answer, command, one["id"], 124, "before", status="timed_out")
                killed = "exec-session: a command whose time is up is killed with every process that it started"
                none_sleeps(chaser, one["id"], 98765, killed)


@promise()
def a_limit_of_time_ends_only_what_takes_longer(chaser: Subject) -> None:
    """A command has `timeout_ms` milliseconds, from 0 to 3,600,000, and what ends before is not touched."""
    with session(chaser) as one:
        limit: object
        for limit in (3_600_000, 60_000, None):
            with chaser.case():
                _fields(run(chaser, one["id"], "echo x", timeout_ms=limit), "echo x", one["id"], 0, "x\n")
        for limit in (0, 1, 60):
            with chaser.case():
                answer = run(chaser, one["id"], "sleep 600", timeout_ms=limit)
                _fields(answer, "sleep 600", one["id"], 124, "", status="timed_out")
        # Ten times as much, or a tenth of it, would be told as something else.
        for seconds, limit, code, status in (("2", 250, 124, "timed_out"), ("0.3", 2500, 0, "completed")):
            with chaser.case():
                answer = run(chaser, one["id"], f"sleep {seconds}", timeout_ms=limit)
                _fields(answer, f"sleep {seconds}", one["id"], code, "", status=status)
        for limit in (-1, 3_600_001, 1.5, "100"):
            with chaser.case():
                answer = chaser.ask("exec-session", id=one["id"], json={"command": "true", "timeout_ms": limit})
                answer.must_be(400, "invalid_request", because=f"for timeout_ms {limit!r}")


def _fields(
    answer: Answer, command: str, session_id: str, exit_code: int, output: str, *, status: str = "completed"
) -> None:
    """That an answer to a command that was waited for says all this."""
    expected = {
        "kind": "exec", "status": status, "session_id": session_id, "command": command, "background": False,
        "command_id": None, "pid": None, "exit_code": exit_code, "output": output, "output_truncated": False,
    }  # fmt: skip
    for name, value in expected.items():
        found = answer.json.get(name)
        answer.require(found == value, f"`{name}` is {_short(value)}", f"it is {_short(found)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:100]}…{text[-80:]}"
