"""A seed against its schema, before anything happens: each problem where it stands, with what is accepted there."""

from __future__ import annotations

import copy
import difflib
import functools
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import jsonschema_rs

from chaser_emulator import assembly
from chaser_emulator.schema_words import around, explain, words_at
from chaser_emulator.seeding.problems import MOST, SeedError, SeedProblem
from chaser_emulator.seeding.text import SeedText

_MEANT = {
    "type": "session_type",
    "kind": "session_type",
    "key": "api_key",
    "secret": "api_key",
    "token": "api_key",
    "user": "owner",
    "email": "owner",
    "organization": "account",
    "org": "account",
    "path": "files",
    "balance": "wallet_balance_usd",
    "wallet": "wallet_balance_usd",
    "run": "commands",
    "id": "name",
}
"""What people write who have not read the schema."""


@functools.cache
def schema() -> dict[str, Any]:
    """The schema of a seed, with those parts of Chaser's document in it that it refers to."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (resources.files(__package__) / "schema.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
    known: Mapping[str, Any] = {
        **assembly.assemble(assembly.CONTROL)["components"]["schemas"],
        **assembly.assemble()["components"]["schemas"],
    }
    for section in found["properties"].values():
        if (like := section.get("items", {}).pop("x-like", None)) is not None:
            section["items"] = _like(known[like], section["items"])
    return found | {"components": assembly.components_of({"components": {"schemas": known}}, found)}


def _like(api: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a schema of the document, with the fields of the seed's own beside, or in the place of, its own."""
    merged = {**copy.deepcopy(dict(api)), **own}
    merged["properties"] = {
        **own["properties"],
        **{k: v for k, v in api["properties"].items() if k not in own["properties"]},
    }
    merged["additionalProperties"] = False
    merged.pop("examples", None)
    return merged


@functools.cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema(), validate_formats=True)


def check(text: SeedText) -> dict[str, Any]:
    """The values of a seed that keeps the rules of its schema, without sections that are empty. Raises SeedError."""
    value = {name: part for name, part in text.value.items() if part is not None}
    if _validator().is_valid(value):
        return value
    problems: dict[SeedProblem, None] = {}
    for piece, index in _pieces(value):
        for error in _validator().iter_errors(piece):
            path = [
                index if number == 1 and index is not None else part for number, part in enumerate(error.instance_path)
            ]
            problems.update(dict.fromkeys(_problems(text, error, path)))
            if len(problems) >= MOST:
                break
        if len(problems) >= MOST:
            break
    raise SeedError(text.name, sorted(problems, key=lambda problem: problem.place))


def _pieces(value: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Seeds of one item each, with its number: the library finds all that is wrong before it tells the first."""
    for name, section in value.items():
        if isinstance(section, list) and section:
            for index, item in enumerate(section):
                yield {name: [item]}, index
        else:
            yield {name: section}, None


def _problems(text: SeedText, error: jsonschema_rs.ValidationError, path: list[str | int]) -> Iterator[SeedProblem]:
    kind: Any = error.kind
    match type(kind).__name__:
        case "AdditionalProperties":
            known = list(around(schema(), error).get("properties", {}))
            for name in kind.unexpected:
                where = (*path, name)
                yield SeedProblem(text.place(*where), where, f"is not known; {near(name, known)}")
        case "Required":
            yield SeedProblem(text.place(*path), (*path, kind.property), "is required")
        case "PropertyNames":
            bad = next(iter(_bad_names(error)), None)
            where = (*path, bad) if bad is not None else tuple(path)
            yield SeedProblem(text.place(*where), where, "is no name that can stand here")
        case "OneOfNotValid" | "OneOfMultipleValid" if path[0] == "webhooks" and len(path) == 2:
            yield SeedProblem(text.place(*path), tuple(path), "needs either url or sink, and not both")
        case _:
            yield SeedProblem(text.place(*path), tuple(path), _words(error) or _unquoted(error))


def near(name: str, known: list[str]) -> str:
    """What was meant by a name that nobody knows, or else what there is."""
    if (meant := _MEANT.get(name)) in known:
        return f"did you mean {meant}?"
    if (close := close_to(name.lower().replace("-", "_"), known)) is not None:
        return f"did you mean {close}?"
    shown = ", ".join(known[:30]) + (" and others" if len(known) > 30 else "")
    return f"{shown} {'is' if len(known) == 1 else 'are'} accepted" if known else "nothing is accepted here"


def close_to(name: str, known: list[str]) -> str | None:
    """The one of these names that is most like it, if any is."""
    return next(iter(difflib.get_close_matches(name, known, 1, 0.6)), None)


def _words(error: jsonschema_rs.ValidationError) -> str | None:
    """What is accepted, where the schema says that better than a rule of it does."""
    if type(error.kind).__name__ not in ("AnyOf", "OneOfNotValid", "Pattern", "Format", "Type", "Enum"):
        return None
    return words_at(schema(), error)


def _unquoted(error: jsonschema_rs.ValidationError) -> str:
    """What is wrong; a text that YAML takes for something else wants quotes."""
    kind: Any = error.kind
    mistaken = type(kind).__name__ == "Type" and "string" in kind.types and isinstance(error.instance, (int, float))
    return explain(error) + ("; put it in quotes" if mistaken else "")


def _bad_names(error: jsonschema_rs.ValidationError) -> list[str]:
    inner = getattr(error.kind, "error", None)
    instance = getattr(inner, "instance", None)
    return [instance] if isinstance(instance, str) else []
