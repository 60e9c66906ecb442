"""The nearest request that the document accepts: method, path, parameters, type of the body, and the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chaser_emulator.assembly import resolve
from chaser_emulator.explaining.asking import FORM, JSON, Ask, Asked, path_of
from chaser_emulator.explaining.documents import examples_in, examples_of
from chaser_emulator.explaining.repairing import Mender, NoWay
from chaser_emulator.explaining.samples import samples
from chaser_emulator.rules import along
from chaser_emulator.spec import Location, Operation, Parameter, Spec
from chaser_emulator.validation import Validator

_SELECTOR = "X-Chaser-Account"
_LATER = "$CHASER_"


@dataclass(frozen=True)
class Menders:
    """Mends requests by the document. `now` is the world's time."""

    spec: Spec
    validator: Validator
    now: datetime

    def request(self, operation: Operation, ask: Ask, parameters: Mapping[str, str]) -> Ask:
        """The request with all that the document finds wrong in it mended. Raises NoWay."""
        path = dict(parameters) | dict(self._values(operation, "path", list(parameters.items())))
        if path != dict(parameters):
            ask = replace(ask, path=path_of(operation, path))
        query = tuple(self._values(operation, "query", list(ask.query)))
        names = {p.name.lower(): p.name for p in operation.parameters if p.location == "header"}
        sent = [(names[name], value) for name, value in ask.headers.items() if name in names]
        headers = dict(ask.headers)
        for name, value in self._values(operation, "header", sent):
            if name != _SELECTOR:
                headers[name.lower()] = value
        return self.body(operation, replace(ask, query=query, headers=headers))

    def body(self, operation: Operation, ask: Ask) -> Ask:
        """The request with a body that the operation takes. Raises NoWay."""
        if operation.body is None:
            return ask
        media_type = next(iter(operation.body.content))
        given = ask.media_type is not None
        if not given and not operation.body.required and media_type == JSON:
            return ask
        examples = examples_of(self.spec, operation.path, operation.method, media_type)
        schema = operation.body.content[media_type]
        mender = Mender(self.spec, self.validator, schema, examples, self.now)
        body = ask.body if given else self._example(mender)
        if media_type == FORM:
            return self._form(mender, ask, body)
        return replace(ask, body=mender.mended(body), media_type=media_type).with_header("content-type", media_type)

    def _example(self, mender: Mender) -> Any:
        """The document's own body where there was none. Raises NoWay."""
        fitting = [one for one in mender.examples if mender.validator.accepts(mender.schema, one)]
        return fitting[0] if fitting else mender.grafted(None)

    def _form(self, mender: Mender, ask: Ask, body: Any) -> Ask:
        """A form's parts are texts and files; a file is there or not, whatever is in it."""
        fields = {str(name): part for name, part in body.items()} if isinstance(body, Mapping) else {}
        shape = {
            name: "" if isinstance(part, str) and part.startswith("@") else part if isinstance(part, str) else str(part)
            for name, part in fields.items()
        }
        mended = mender.mended(shape)
        known = mender.schema
        parts = {
            name: fields[name] if name in fields and shape[name] == part else self._part(known, name, part)
            for name, part in mended.items()
        }
        return replace(ask, body=parts, media_type=FORM).with_header("content-type", FORM)

    def _part(self, schema: Mapping[str, Any], name: str, value: Any) -> str:
        """A text, or the file that a part is to be."""
        node = resolve(self.spec.document, dict(schema)).get("properties", {}).get(name, {})
        return f"@{name}" if node.get("format") == "binary" or "contentMediaType" in node else str(value)

    def _values(
        self, operation: Operation, location: Location, given: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Parameters of one kind, mended; unknown ones stay where they are."""
        _values, problems, _unknown = self.validator.parameters(operation, location, given)
        wrong = {problem.pointer for problem in problems}
        known = {p.name: p for p in operation.parameters if p.location == location}
        mended: list[tuple[str, str]] = []
        for name, text in given:
            if name not in wrong or text.startswith(_LATER):
                mended.append((name, text))
            elif name not in {key for key, _text in mended}:
                texts = [value for key, value in given if key == name]
                mended += [(name, value) for value in self._mended(operation, known[name], texts)]
        for name in wrong - {name for name, _text in given}:
            near = next((i for i, (key, _v) in enumerate(mended) if key.casefold() == name.casefold()), None)
            if near is not None:
                mended[near] = (name, mended[near][1])
            else:
                mended += [(name, value) for value in self._mended(operation, known[name], [])]
        return mended

    def _mended(self, operation: Operation, parameter: Parameter, texts: list[str]) -> list[str]:
        """Texts that a parameter takes: the first good one, else the nearest, else one of the document's."""
        for text in texts:
            if self._fits(operation, parameter, [text]):
                return [text]
        examples = self._examples(parameter)
        mender = Mender(self.spec, self.validator, parameter.schema, examples, self.now)
        if texts and texts[0]:
            try:
                value = mender.mended(int(texts[0]) if texts[0].lstrip("-").isdecimal() else texts[0])
            except (NoWay, ValueError):
                value = None
            if value is not None and self._fits(operation, parameter, [_text(value)]):
                return [_text(value)]
        if texts and not parameter.required:
            return []
        for sample in [*examples, *samples(self.spec, parameter.schema, examples)]:
            if self._fits(operation, parameter, [_text(sample)]):
                return [_text(sample)]
        raise NoWay

    def _fits(self, operation: Operation, parameter: Parameter, texts: list[str]) -> bool:
        given = [(parameter.name, text) for text in texts]
        _values, problems, _unknown = self.validator.parameters(operation, parameter.location, given)
        return not any(problem.pointer == parameter.name for problem in problems)

    def _examples(self, parameter: Parameter) -> list[Any]:
        *_, (_part, node) = along(self.spec.document, parameter.pointer)
        return examples_in(node)

    def passes(self, operation: Operation, asked: Asked) -> bool:
        """Whether the document finds nothing wrong with a request."""
        ask = asked.ask
        names = {p.name.lower(): p.name for p in operation.parameters if p.location == "header"}
        sent: Mapping[Location, list[tuple[str, str]]] = {
            "path": list(asked.parameters.items()),
            "query": list(ask.query),
            "header": [(names[name], value) for name, value in ask.headers.items() if name in names],
        }
        for location, given in sent.items():
            _values, problems, _unknown = self.validator.parameters(operation, location, given)
            if any(problem.pointer != _SELECTOR for problem in problems):
                return False
        if operation.body is None:
            return True
        if ask.media_type is None:
            return not operation.body.required
        schema = operation.body.content.get(ask.media_type)
        if schema is None:
            return False
        shape = ask.body
        if ask.media_type == FORM:
            shape = {name: "" if part.startswith("@") else part for name, part in ask.body.items()}
        return self.validator.accepts(schema, shape)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
