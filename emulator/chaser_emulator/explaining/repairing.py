"""The nearest value that a schema accepts: a value is mended one fault at a time, until none is left to find."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonschema_rs

from chaser_emulator.explaining.places import Path, at, drop, put, rename
from chaser_emulator.explaining.samples import fields, inside, samples
from chaser_emulator.explaining.texts import likeness, nearest, of_format, reshaped
from chaser_emulator.spec import Spec
from chaser_emulator.validation import Validator, holds_more_than

_STEPS, _WIDTH, _TRIED = 40, 5, 12
_LARGE = 500
_STEPS_OF_LARGE = 8

# What a change takes away from the meaning of a request, so that of two ways the nearer one is found.
_UNLIKE = 0.4
_NAMED, _SHAPED, _BOUNDED, _FILLED, _REPLACED, _REMOVED = 0.5, 1.0, 1.0, 1.5, 2.5, 3.0

Error = jsonschema_rs.ValidationError
Fix = tuple[float, Any]


class NoWay(Exception):
    """Nothing was found that the schema accepts."""


@dataclass(frozen=True)
class Mender:
    """Mends values of one schema. `examples` are values that the document gives for it; `now` is the world's time."""

    spec: Spec
    validator: Validator
    schema: Mapping[str, Any]
    examples: Sequence[Any]
    now: datetime

    def mended(self, value: Any) -> Any:
        """The nearest accepted value that is found; the value itself where nothing is wrong. Raises NoWay."""
        steps = _STEPS_OF_LARGE if holds_more_than(value, _LARGE) else _STEPS
        beam = [(0.0, value, self.validator.errors(self.schema, value))]
        seen: set[str] = set()
        for _step in range(steps):
            if beam and not beam[0][2]:
                return beam[0][1]
            reached = [one for one in beam if not one[2]]
            for cost, current, errors in beam:
                if not errors:
                    continue
                fixes = sorted(self.fixes(errors[0], current), key=lambda fix: fix[0])
                for price, candidate in fixes[:_TRIED]:
                    mark = json.dumps(candidate, sort_keys=True, default=str)
                    if mark not in seen:
                        seen.add(mark)
                        reached.append((cost + price, candidate, self.validator.errors(self.schema, candidate)))
            # Each fault that is left will cost something too.
            reached.sort(key=lambda one: one[0] + _SHAPED * len(one[2]))
            beam = reached[:_WIDTH]
            if not beam:
                break
        done = [one for one in beam if not one[2]]
        return done[0][1] if done else self.grafted(value)

    def grafted(self, value: Any) -> Any:
        """An example of the document with as much of the value as goes with it. Raises NoWay."""
        for example in [*self.examples, *samples(self.spec, self.schema)]:
            if not self.validator.accepts(self.schema, example):
                continue
            result = example
            if isinstance(value, Mapping) and isinstance(example, Mapping):
                for name, part in value.items():
                    if self.validator.accepts(self.schema, attempt := {**result, name: part}):
                        result = attempt
                for name in [name for name in result if name not in value]:
                    if self.validator.accepts(self.schema, attempt := drop(result, [name])):
                        result = attempt
            return result
        raise NoWay

    def fixes(self, error: Error, value: Any) -> Iterator[Fix]:
        """Values in which one fault is mended, each with what that costs."""
        path: list[str | int] = list(error.instance_path)
        kind: Any = error.kind
        found = at(value, path)
        fix = _FIXES.get(type(kind).__name__)
        if fix is not None:
            yield from fix(self, kind, value, path, found)
        for price, sample in self.at(path):
            yield price + _REPLACED, put(value, path, sample)
        if path:
            yield _REMOVED, drop(value, path)

    def at(self, path: Path) -> Iterator[Fix]:
        """Values of the document for a place."""
        for index, sample in enumerate(samples(self.spec, self.schema, self.examples, path)[:_TRIED]):
            yield index * 0.1, sample

    def required(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        if not isinstance(found, Mapping):
            return
        name = str(kind.property)
        known = fields(self.spec, self.schema, path)
        strangers = [key for key in found if key not in known]
        if near := nearest(name, strangers):
            yield _NAMED, rename(value, [*path, near], name)
        for price, sample in self.at([*path, name]):
            # What can only be one thing is no guess.
            yield price + _FILLED, put(value, [*path, name], sample)
        # A field that asks for another may be the one too many.
        for key in found:
            yield _REMOVED, drop(value, [*path, key])

    def type(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        for wanted in kind.types:
            for shaped in _coerced(found, wanted):
                yield _SHAPED, put(value, path, shaped)

    def enum(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        options = kind.options if hasattr(kind, "options") else [kind.expected_value]
        usual = [node["default"] for node in inside(self.spec, self.schema, path) if "default" in node]
        for index, option in enumerate(options):
            alike = likeness(str(found).casefold(), str(option).casefold())
            # A word that is like none of them is no slip of the pen.
            price = 1 - alike if option not in usual else min(1 - alike, _UNLIKE)
            yield _SHAPED + price + index * 0.01, put(value, path, option)

    def pattern(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        if not isinstance(found, str):
            return
        shaped = dict.fromkeys(text for text in reshaped(found) if text != found)
        for text in shaped:
            candidate = put(value, path, text)
            # Only those that go further: most forms are other patterns'.
            if not any(
                list(left.instance_path) == list(path) for left in self.validator.errors(self.schema, candidate)
            ):
                yield 2 - likeness(found, text), candidate

    def format(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        for text in of_format(str(kind.format), found, self.now):
            yield _SHAPED, put(value, path, text)

    def bound(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        yield _BOUNDED, put(value, path, kind.limit)

    def above(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        yield _BOUNDED, put(value, path, kind.limit + 1)
        yield _BOUNDED + 0.1, put(value, path, math.nextafter(kind.limit, math.inf))

    def below(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        yield _BOUNDED, put(value, path, kind.limit - 1)
        yield _BOUNDED + 0.1, put(value, path, math.nextafter(kind.limit, -math.inf))

    def multiple(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        step = kind.multiple_of
        yield _BOUNDED, put(value, path, round(found / step) * step)

    def longer(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        if found:
            yield _BOUNDED, put(value, path, found + found[-1] * (kind.limit - len(found)))

    def shorter(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        yield _BOUNDED, put(value, path, found[: kind.limit])

    def more_items(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        for price, sample in self.at([*path, 0]):
            added = [*found, *[sample] * (kind.limit - len(found))]
            yield price + _FILLED, put(value, path, added)

    def once(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        distinct = [one for index, one in enumerate(found) if one not in found[:index]]
        yield _BOUNDED, put(value, path, distinct)

    def more_fields(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        for name in fields(self.spec, self.schema, path):
            if name not in found:
                for price, sample in self.at([*path, name]):
                    yield price + _FILLED, put(value, [*path, name], sample)

    def fewer_fields(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        yield _BOUNDED, put(value, path, dict(list(found.items())[: kind.limit]))

    def unknown(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        known = [name for name in fields(self.spec, self.schema, path) if name not in found]
        strangers = [name for name in kind.unexpected if name in found]
        for name in strangers:
            if near := nearest(name, known):
                yield _NAMED, rename(value, [*path, name], near)
        kept = {key: part for key, part in found.items() if key not in strangers}
        yield _SHAPED, put(value, path, kept)

    def name(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        wrong = kind.error.instance
        for text in dict.fromkeys(reshaped(str(wrong))):
            if text and text != wrong and text not in found:
                yield 2 - likeness(str(wrong), text), rename(value, [*path, wrong], text)
        yield _SHAPED, drop(value, [*path, wrong])

    def never(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        if path:
            yield _SHAPED, drop(value, path)

    def excluded(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        """One of the fields that exclude each other goes: the one that says the least."""
        if isinstance(found, Mapping):
            named = set(_named(kind.schema))
            for name, part in found.items():
                if name in named:
                    weight = 0.2 if isinstance(part, (str, Mapping, list)) and part else 0.0
                    yield _SHAPED + weight, drop(value, [*path, name])
                    if isinstance(part, bool):
                        yield _SHAPED + 0.5, put(value, [*path, name], not part)
        elif isinstance(found, str):
            yield from self.pattern(kind, value, path, found)

    def either(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        """What would make one of the branches fit; each of a branch's faults is mended in turn."""
        for branch in kind.context:
            if not branch:
                continue
            for price, candidate in self.fixes(branch[0], value):
                yield price + 0.3 * (len(branch) - 1), candidate

    def both(self, kind: Any, value: Any, path: Path, found: Any) -> Iterator[Fix]:
        if isinstance(found, Mapping):
            for name in found:
                yield _SHAPED, drop(value, [*path, name])


_FIXES: Mapping[str, Callable[[Mender, Any, Any, Path, Any], Iterator[Fix]]] = {
    "Required": Mender.required,
    "Type": Mender.type,
    "Enum": Mender.enum,
    "Constant": Mender.enum,
    "Pattern": Mender.pattern,
    "Format": Mender.format,
    "Minimum": Mender.bound,
    "Maximum": Mender.bound,
    "ExclusiveMinimum": Mender.above,
    "ExclusiveMaximum": Mender.below,
    "MultipleOf": Mender.multiple,
    "MinLength": Mender.longer,
    "MaxLength": Mender.shorter,
    "MinItems": Mender.more_items,
    "MaxItems": Mender.shorter,
    "UniqueItems": Mender.once,
    "MinProperties": Mender.more_fields,
    "MaxProperties": Mender.fewer_fields,
    "AdditionalProperties": Mender.unknown,
    "UnevaluatedProperties": Mender.unknown,
    "PropertyNames": Mender.name,
    "FalseSchema": Mender.never,
    "Not": Mender.excluded,
    "AnyOf": Mender.either,
    "OneOfNotValid": Mender.either,
    "OneOfMultipleValid": Mender.both,
}


def _named(schema: Any) -> Iterator[str]:
    """Every field that a `not` speaks of."""
    if isinstance(schema, Mapping):
        yield from schema.get("required", [])
        yield from schema.get("properties", {})
        for word in ("anyOf", "allOf", "oneOf"):
            for part in schema.get(word, []):
                yield from _named(part)


_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0", ""}


def _coerced(value: Any, wanted: str) -> Iterator[Any]:
    """A value as another type, where it plainly is one."""
    match wanted:
        case "integer":
            if isinstance(value, float) and math.isfinite(value):
                yield round(value)
            elif isinstance(value, str):
                number = _number(value)
                if number is not None:
                    yield round(number)
        case "number":
            if isinstance(value, str) and (number := _number(value)) is not None:
                yield int(number) if number.is_integer() else number
        case "boolean":
            text = str(value).strip().casefold()
            if text in _TRUE or text in _FALSE:
                yield text in _TRUE
        case "string":
            if isinstance(value, bool):
                yield str(value).lower()
            elif isinstance(value, (int, float)):
                yield str(value)
            elif isinstance(value, list) and value and all(isinstance(part, str) for part in value):
                yield value[0] if len(value) == 1 else " ".join(value)
        case "array":
            if isinstance(value, str) and (read := _read(value)) is not None and isinstance(read, list):
                yield read
            elif isinstance(value, str) and "," in value:
                yield [part.strip() for part in value.split(",")]
            if value is not None:
                yield [value]
        case "object":
            if isinstance(value, str) and isinstance(read := _read(value), dict):
                yield read
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
                yield value[0]
        case _:
            pass


def _number(text: str) -> float | None:
    try:
        number = float(text.strip().replace("_", "").replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
