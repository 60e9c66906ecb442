"""Write what follows from the document: shapes.py for handlers, ASSUMPTIONS.md, and the tables of the README.

`--check` writes nothing and fails when a file is stale, or when the document is not valid OpenAPI.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from chaser_contract import evidence
from chaser_emulator import assembly, cli, spec
from chaser_emulator.control import plane
from chaser_emulator.operating import tree
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = Path(__file__).resolve().parent.parent
SHAPES = ROOT / "emulator" / "chaser_emulator" / "shapes.py"
ASSUMPTIONS = ROOT / "emulator" / "ASSUMPTIONS.md"
README = ROOT / "README.md"


def main() -> int:
    """Answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is stale")
    check = parser.parse_args().check

    document = spec.load().document
    problems = [
        f"{name} is not valid: {error.message}"
        for name, each in (("the document", document), ("the document of the control plane", plane.load().document))
        for error in OpenAPIV31SpecValidator(each).iter_errors()
    ]
    wanted = {
        SHAPES: shapes(document),
        ASSUMPTIONS: assumptions(document),
        README: readme(README.read_text("utf-8"), document),
    }
    for path, text in wanted.items():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if check:
            problems.append(f"{path.relative_to(ROOT)} is stale; run: make generate")
        else:
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")  # noqa: T201 - what a person waits for
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 - what a person waits for
    return 1 if problems else 0


def shapes(document: assembly.Node) -> str:
    """TypedDicts of every schema of the document, by the schema's name."""
    plain = {
        "openapi": document["openapi"],
        "info": document["info"],
        "paths": {},
        "components": {"schemas": {name: _typed(node) for name, node in document["components"]["schemas"].items()}},
    }
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "document.json", Path(folder) / "shapes.py"
        source.write_text(json.dumps(plain), "utf-8")
        command = [sys.executable, "-m", "datamodel_code_generator", "--input", str(source), "--output", str(target)]
        command += ["--input-file-type", "openapi", "--output-model-type", "typing.TypedDict"]
        command += ["--target-python-version", "3.11", "--use-standard-collections", "--use-union-operator"]
        # Types that are no strings halve the time that importing the shapes takes from each start.
        command += ["--disable-future-imports", "--disable-timestamp", "--enum-field-as-literal", "all"]
        command += ["--formatters", "builtin"]
        command += ["--custom-file-header", '"""Shapes of the document\'s schemas; written by `make generate`."""']
        subprocess.run(command, check=True, capture_output=True, text=True)
        for step in (["check", "--fix-only", "--quiet", "--select", "F,I,UP"], ["format", "--quiet"]):
            subprocess.run(
                [sys.executable, "-m", "ruff", *step, "--config", str(ROOT / "pyproject.toml"), str(target)], check=True
            )
        return target.read_text("utf-8")


def _typed(node: Any) -> Any:
    """A schema without what says nothing about types, and without conditions that a type cannot say."""
    if isinstance(node, list):
        return [_typed(part) for part in node]
    if not isinstance(node, dict):
        return node
    dropped = ("if", "then", "else", "not", "example", "examples", "description", "default", "dependentRequired")
    kept = {key: _typed(value) for key, value in node.items() if key not in dropped and not key.startswith("x-")}
    if isinstance(node.get("properties"), dict):
        # These keys are names of fields, of which one may well be `description`.
        kept["properties"] = {name: _typed(part) for name, part in node["properties"].items()}
    for key in ("additionalProperties", "unevaluatedProperties"):
        # That nothing else may be there is what a TypedDict says anyway.
        if kept.get(key) is False:
            del kept[key]
    if "properties" in kept or kept.get("type") == "object":
        # What remains in these are conditions as well: which fields go together.
        for key in ("allOf", "anyOf", "oneOf"):
            if all(set(part) <= {"required", "properties"} for part in kept.get(key, [])):
                kept.pop(key, None)
    return kept


def assumptions(document: assembly.Node) -> str:
    """Every assumption of the emulator, by operation, with the ruling that it rests on."""
    texts = assembly.rulings()
    lines = [
        "# Assumptions",
        "",
        "Where no source says what Chaser does, the emulator still does one thing, always the same. These are all of",
        "those places, by operation, from the `x-ruling` marks of the document (written by `make generate`). Once",
        "the real behaviour is seen, the mark and its ruling are the places to change.",
        "",
    ]
    used: dict[str, list[str]] = {}
    for path, method, operation in assembly.operations(document):
        found = sorted(set(_marks(document, operation, set())), key=_order)
        lines += [f"## {operation['operationId']}", "", f"`{method.upper()} {path}`", ""]
        lines += [f"- **{number}** {texts[number]}" for number in found]
        lines += ["" if found else "Nothing is assumed.\n"]
        for number in found:
            used.setdefault(number, []).append(operation["operationId"])
    rest = [number for number in texts if number not in used]
    lines += [
        "## Beyond single operations",
        "",
        *(f"- **{number}** {texts[number]}" for number in sorted(rest, key=_order)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _marks(document: assembly.Node, node: Any, seen: set[str]) -> Iterator[str]:
    """The rulings that a part of the document rests on, those of what it refers to included."""
    if isinstance(node, list):
        for part in node:
            yield from _marks(document, part, seen)
    elif isinstance(node, dict):
        yield from node.get("x-ruling", [])
        reference = node.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            yield from _marks(document, assembly.resolve(document, {"$ref": reference}), seen)
        for key, part in node.items():
            if key not in ("x-ruling", "example", "examples", "links"):
                yield from _marks(document, part, seen)


def _order(number: str) -> tuple[str, int]:
    return number[0], int(number[1:])


def readme(text: str, document: assembly.Node) -> str:
    """The README with its tables made anew, each between its two markers."""
    text = _between(text, "operations", _operations(document))
    text = _between(text, "commands", _commands())
    text = _between(text, "evidence", evidence.table(evidence.load()))
    return _between(text, "configuration", _configuration())


def _between(text: str, name: str, table: str) -> str:
    start, end = f"<!-- {name}: written by make generate -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    if not rest or not after:
        raise SystemExit(f"README.md: the markers of {name} are missing")
    return f"{before}{start}\n\n{table}\n\n{end}{after}"


def _operations(document: assembly.Node) -> str:
    rows = ["| operation | method and path | scope | what it does |", "|---|---|---|---|"]
    tag = ""
    for path, method, operation in sorted(assembly.operations(document), key=lambda one: _place(document, one[2])):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            rows.append(f"| **{tag}** | | | |")
        scope = operation.get("x-scope", "none")
        rows.append(f"| {operation['operationId']} | `{method.upper()} {path}` | {scope} | {operation['summary']} |")
    return "\n".join(rows)


def _commands() -> str:
    rows = ["| command | what it does |", "|---|---|"]
    for one in sorted(tree.named(), key=lambda one: one.words):
        if one.words[0] not in cli.commands.commands:
            usage = tree.usage(one).replace("|", "\\|")
            rows.append(f"| `chaser-emulator {usage}` | {one.operation['summary']} |")
    return "\n".join(rows)


def _place(document: assembly.Node, operation: assembly.Node) -> int:
    return [tag["name"] for tag in document["tags"]].index(operation["tags"][0])


def _configuration() -> str:
    rows = ["| flag | environment | default | what for |", "|---|---|---|---|"]
    for option in cli.serve.params:
        if not isinstance(option, click.Option) or option.name is None:
            continue
        flag = "/".join([*option.opts, *option.secondary_opts])
        if isinstance(option.type, click.Choice):
            flag += " " + "\\|".join(str(choice) for choice in option.type.choices)
        default = option.default if isinstance(option.default, (str, int)) and not option.is_flag else ""
        if option.secondary_opts:
            default = (option.opts if option.default else option.secondary_opts)[0]
        rows.append(
            f"| `{flag}` | `{option.envvar}` | {f'`{default}`' if default != '' else ''} | {option.help or ''} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
