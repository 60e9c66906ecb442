"""The document of the control plane as commands: `x-command: clock advance` -> `chaser-emulator clock advance`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import click

from chaser_emulator.assembly import CONTROL, Node, assemble, operations
from chaser_emulator.operating import inputs
from chaser_emulator.operating.inputs import Input, Structured
from chaser_emulator.operating.places import PLACE, place_of

TAKEN = ("--data-dir", "--url", "--api-key", "--world", "--json", "--yes", "--body", "--help")
"""Options that commands have of themselves; a field that is called so says another name by `x-option`."""

_GROUPS = {
    "clock": "Read the clock of a world, set it and move it on.",
    "requests": "Look through the last requests to the API.",
    "worlds": "Make, fork and delete isolated Chasers in one emulator.",
}
"""What groups are for, where the tag of their operations says something else."""


@dataclass(frozen=True)
class Named:
    """An operation that is a command: its words, and where it stands in the document."""

    words: tuple[str, ...]
    path: str
    method: str
    operation: Node


@cache
def document() -> Node:
    """That of the control plane."""
    return assemble(CONTROL)


def named() -> Iterator[Named]:
    """Every operation that is a command."""
    for path, method, operation in operations(document()):
        if "x-command" in operation:
            yield Named(tuple(operation["x-command"].split()), path, method.upper(), operation)


def names() -> list[str]:
    """The first words of all commands."""
    return sorted({one.words[0] for one in named()})


def find(name: str) -> click.Command | None:
    """The command, or the group of commands, that begins with this word."""
    if name == "seed":
        # It reads more than the file that it is given.
        from chaser_emulator.operating import seed

        return seed.command
    found = [one for one in named() if one.words[0] == name]
    if not found:
        return None
    if len(found[0].words) == 1:
        return _command(found[0])
    return _Family(name, found)


class _Family(click.Group):
    """Commands with the same first word; each is made when it is meant, as most are only listed."""

    def __init__(self, name: str, found: list[Named]) -> None:
        super().__init__(name, help=_about(name, found))
        self._found = {one.words[1]: one for one in found}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        one = self._found.get(cmd_name)
        return _command(one) if one is not None else None


def usage(one: Named) -> str:
    """The words of a command and its arguments, as its help shows them."""
    command = _command(one)
    ctx = click.Context(command)
    pieces = [piece for param in command.params for piece in param.get_usage_pieces(ctx)]
    return " ".join([*one.words, *pieces])


def _about(name: str, found: list[Named]) -> str:
    tags = {tag["name"]: tag.get("description", "") for tag in document()["tags"]}
    return _GROUPS.get(name) or " ".join(str(tags.get(found[0].operation["tags"][0], "")).split())


def _command(one: Named) -> click.Command:
    operation = one.operation
    taken = inputs.inputs_of(document(), operation)
    sent, answered = inputs.sent_file(operation), inputs.answers_file(operation)
    params: list[click.Parameter] = [each.parameter() for each in taken]
    if sent:
        required = operation["requestBody"].get("required", False)
        params.append(click.Argument(["file"], required=required, metavar="FILE" if required else "[FILE]"))
    if answered:
        params.append(click.Argument(["target"], metavar="FILE"))
    if any(each.origin == "body" for each in taken) or (not sent and "requestBody" in operation):
        params.append(
            click.Option(["body", "--body"], type=Structured(), help="The whole body, to which the other options add.")
        )
    if "x-confirm" in operation:
        params.append(click.Option(["yes", "--yes"], is_flag=True, help="Do not ask."))
    params.append(click.Option(["as_json", "--json"], is_flag=True, help="Print JSON."))

    def run(**values: Any) -> None:
        _run(one, taken, values)

    text = f"{operation['summary']}.\n\n{operation['description']}"
    about = [f"{each.word}: {' '.join(each.description.split())}" for each in taken if each.argument]
    if sent:
        about.append(f"FILE: what is sent, of type {' or '.join(sent)}; - is standard input.")
    elif answered:
        about.append("FILE: where the answer is written; - is standard output.")
    command = click.Command(
        one.words[-1],
        callback=run,
        params=params,
        help="\n\n".join([text, *about]),
        short_help=operation["summary"] + ".",
    )
    for name, add in PLACE.items():
        if name != "world" or operation.get("x-world") != "none":
            add(command)
    return command


def _require_text(given: Input, value: Any) -> None:
    """Raise click's UsageError for bytes of a command line that are no text: nothing could be sent for them."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{given.shown} is no UTF-8", click.get_current_context()) from None


def _run(one: Named, taken: list[Input], values: dict[str, Any]) -> None:
    from chaser_emulator.operating import showing
    from chaser_emulator.operating.asking import Asked, ask, filled

    ctx = click.get_current_context()
    place = place_of(ctx, values)
    if "x-confirm" in one.operation and not values["yes"]:
        click.confirm(one.operation["x-confirm"], abort=True)
    given = {each: value for each in taken if (value := values[each.key]) is not None and not (each.many and not value)}
    for each, value in given.items():
        for part in value if each.many else [value]:
            _require_text(each, part)
    path = filled(one.path, {each.name: str(value) for each, value in given.items() if each.origin == "path"})
    query = [
        (each.name, _text(part))
        for each, value in given.items()
        if each.origin == "query"
        for part in (value if each.many else [value])
    ]
    headers = {each.name: _text(value) for each, value in given.items() if each.origin == "header"}
    with ExitStack() as stack:
        file = _opened(values["file"], stack) if values.get("file") is not None else None
        asked = Asked(
            one.method,
            path,
            query,
            headers,
            json=_body(values, {each: value for each, value in given.items() if each.origin == "body"}),
            file=file,
            media_type=_media_type(values["file"], inputs.sent_file(one.operation)) if file is not None else "",
        )
        answer = stack.enter_context(ask(place, asked))
        text = one.operation.get("x-output") == "text"
        showing.show(answer, as_json=values["as_json"], as_text=text, target=values.get("target"))


def _text(value: Any) -> str:
    """A value as a query has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(values: dict[str, Any], fields: dict[Input, Any]) -> Any:
    if "body" not in values:
        return None
    whole = values["body"]
    own = {each.name: list(value) if each.many else value for each, value in fields.items()}
    if whole is None:
        return own
    if own and not isinstance(whole, dict):
        raise click.UsageError("--body is no object, to which other options could add")
    return whole | own if own else whole


def _opened(name: str, stack: ExitStack) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise click.ClickException(f"{name} cannot be read: {error.strerror}") from None


def _media_type(name: str, accepted: Mapping[str, Any]) -> str:
    """The type of a file: what its name says, where that is accepted."""
    by_ending = {".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml"}
    guessed = by_ending.get(Path(name).suffix.lower())
    if guessed is not None and guessed in accepted:
        return guessed
    return next(kind for kind in accepted if kind != inputs.JSON)
