"""What a command takes: an operation's parameters and the fields of its body, as arguments and options."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from chaser_emulator import durations
from chaser_emulator.assembly import Node, resolve

JSON = "application/json"
_STREAM = "text/event-stream"
_SCALARS = ("string", "integer", "number", "boolean")
_TYPES: dict[str, click.ParamType[Any]] = {"string": click.STRING, "integer": click.INT, "number": click.FLOAT}

Origin = Literal["path", "query", "header", "body"]


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    # Older releases of the library know no kinds of it.
    _ParamType = click.ParamType


class Structured(_ParamType):
    """A value of any form: JSON or YAML, or such a file as `@file` (`@-`: standard input).

    Where it may be `text`, too, it is that to the letter, unless it is a list or an object in brackets; or, where that
    is accepted as well, a `truth`.
    """

    name = "JSON|@file"

    def __init__(self, *, text: bool = False, truth: bool = False) -> None:
        self._text = text
        self._truth = truth

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        import yaml

        try:
            text = _text_of(value[1:]) if value.startswith("@") else value
            is_truth = self._truth and text.strip() in ("true", "false")
            if self._text and not is_truth and not text.lstrip().startswith(("[", "{")):
                return text
            return yaml.safe_load(text)
        except OSError as error:
            self.fail(f"{value[1:]} cannot be read: {error.strerror}", param, ctx)
        except (yaml.YAMLError, ValueError) as error:
            self.fail(" ".join(str(error).split()), param, ctx)


class Duration(_ParamType):
    """Seconds, which people may write as `5m` or `1h30m`, too."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return durations.seconds_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, eq=False)
class Input:
    """One thing that a command takes: where in the request it goes, and how it is given.

    `shown` is its name on the command line. `many` is a list of plain values, given one by one.
    """

    name: str
    origin: Origin
    shown: str
    schema: Node
    required: bool
    argument: bool
    many: bool
    description: str

    @property
    def key(self) -> str:
        """What the command calls its value."""
        return f"{self.origin}_{self.name}".lower().replace("-", "_")

    @property
    def word(self) -> str:
        """Its name where the command's usage shows it."""
        return self.shown.upper().replace("_", "-")

    @property
    def flag(self) -> str:
        return "--" + self.shown.lower().replace("_", "-")

    def parameter(self) -> click.Parameter:
        """What reads it."""
        kind = _kind(self.schema["items"] if self.many else self.schema)
        if self.argument:
            count = -1 if self.many else 1
            return click.Argument([self.key], type=kind, required=self.required, nargs=count, metavar=self._usage())
        said = " ".join(self.description.split()) + (" (repeat)" if self.many else "")
        if "default" in self.schema:
            said += f" [{json.dumps(self.schema['default'])}]"
        flags = f"{self.flag}/--no-{self.flag[2:]}" if kind is click.BOOL else self.flag
        return click.Option(
            [self.key, flags],
            type=kind,
            multiple=self.many,
            required=self.required,
            help=said,
            default=None,
            metavar=None if kind is click.BOOL or isinstance(kind, (click.Choice, Structured)) else kind.name.upper(),
        )

    def _usage(self) -> str:
        text = self.word + ("..." if self.many else "")
        return text if self.required else f"[{text}]"


def inputs_of(document: Node, operation: Node) -> list[Input]:
    """All inputs of an operation but its files and the world that is meant; arguments first."""
    found = []
    for given in operation.get("parameters", []):
        parameter = resolve(document, given)
        if parameter["name"] not in ("X-Chaser-World", "world"):
            required, said = parameter.get("required", False), parameter.get("description", "")
            found.append(_input(document, parameter["name"], parameter["in"], parameter["schema"], required, said))
    for name, schema, required in _fields(document, operation):
        found.append(_input(document, name, "body", schema, required))
    return sorted(found, key=lambda one: (not one.argument, one.argument and not one.required, one.many))


def _fields(document: Node, operation: Node) -> list[tuple[str, Node, bool]]:
    """Name and schema of each field of a JSON body, and whether it is required."""
    content = operation.get("requestBody", {}).get("content", {})
    if set(content) != {JSON}:
        return []
    schema = _whole(document, content[JSON]["schema"])
    required = schema.get("required", [])
    return [(name, node, name in required) for name, node in schema.get("properties", {}).items()]


def _whole(document: Node, schema: Node) -> Node:
    """A schema with what it refers to, and the fields of all parts that it is made of."""
    schema = _resolved(document, schema)
    for part in schema.get("allOf", []):
        other = _whole(document, part)
        schema = schema | {
            "properties": {**other.get("properties", {}), **schema.get("properties", {})},
            "required": [*other.get("required", []), *schema.get("required", [])],
        }
    return schema


def _resolved(document: Node, schema: Node) -> Node:
    """What a schema refers to, with what it says beside that."""
    return {**resolve(document, schema), **schema} if "$ref" in schema else schema


def _input(document: Node, name: str, origin: Origin, schema: Node, required: bool, description: str = "") -> Input:
    schema = _resolved(document, schema)
    items = schema.get("items")
    if isinstance(items, dict):
        schema = schema | {"items": _resolved(document, items)}
    return Input(
        name,
        origin,
        schema.get("x-option", name),
        schema,
        required,
        argument=origin == "path" or schema.get("x-argument", False),
        many=_is_list(schema) and _plain(schema.get("items", {})) is not None,
        description=str(description or schema.get("description", "")),
    )


def _is_list(schema: Node) -> bool:
    """Whether it is a list; one of which a single word may stand for itself is one here."""
    kinds = schema.get("type")
    return kinds == "array" or (isinstance(kinds, list) and set(kinds) == {"array", "string"})


def _plain(schema: Node) -> str | None:
    """The type of a plain value, None for a schema that accepts anything else."""
    kinds = schema.get("type")
    kinds = [kind for kind in kinds if kind != "null"] if isinstance(kinds, list) else [kinds]
    return kinds[0] if len(kinds) == 1 and kinds[0] in _SCALARS else None


def _kind(schema: Node) -> click.ParamType[Any]:
    values = schema.get("enum")
    if values and all(isinstance(value, str) for value in values):
        return click.Choice(values)
    if schema.get("x-duration"):
        return Duration()
    plain = _plain(schema)
    if plain == "boolean":
        return click.BOOL
    kinds = schema.get("type", ())
    return Structured(text="string" in kinds, truth="boolean" in kinds) if plain is None else _TYPES[plain]


def sent_file(operation: Node) -> Mapping[str, Any]:
    """The media types of a file that an operation takes; nothing where it takes fields."""
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    return {} if set(content) <= {JSON} else content


def answers_file(operation: Node) -> bool:
    """Whether what an operation answers is a file."""
    kinds = {
        kind
        for status, response in operation["responses"].items()
        if int(status) < 400
        for kind in response.get("content", {})
    }
    kinds.discard(_STREAM)
    return bool(kinds) and not any(kind == JSON or kind.startswith("text/") for kind in kinds)


def _text_of(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
