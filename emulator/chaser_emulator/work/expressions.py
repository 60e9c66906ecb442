"""GitHub's expressions, as in `${{ matrix.os == 'linux' }}`: read, checked before anything runs, and worked out.

No library for Python does that. What is not supported here is refused by its name when the text is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaser_emulator.work.coercions import (
    FUNCTIONS,
    STATUS_FUNCTIONS,
    ExpressionError,
    equal,
    less,
    member,
    number_of,
    text_of,
    truth_of,
)

_DEEPEST = 50
_LONGEST = 21_000
"""Characters of an expression, as on GitHub."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|Infinity\b)(?![\w.])|NaN\b)"
    r"|(?P<string>'(?:[^']|'')*')|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign>\|\||&&|[=!<>]=|[!<>()\[\],.*]))"
)
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Node:
    """A part of an expression: `value`, `context`, `member`, `all`, `call`, `not`, or an operator."""

    kind: str
    value: Any = None
    parts: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Itself and all that it is made of."""
        left = [self]
        while left:
            yield (one := left.pop())
            left += one.parts

    @property
    def asks_status(self) -> bool:
        return any(one.kind == "call" and one.value in STATUS_FUNCTIONS for one in self.walk())


@dataclass(frozen=True)
class Scope:
    """What names mean at one place of a run: the contexts, and what the functions of status answer there."""

    contexts: Mapping[str, Any]
    status: str = "success"


@dataclass(frozen=True)
class Known:
    """What may be named at a place: contexts, with their parts where only some are supported (None: any)."""

    contexts: Mapping[str, Collection[str] | None]
    status: bool = False


class _Filtered(list[Any]):
    """What `.*` chooses; a name after it is looked up in each."""


def parse(text: str) -> Node:
    """The expression in a text without `${{ }}`. Raises ExpressionError."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"an expression has {len(text)} characters; at most {_LONGEST} are accepted")
    reader = _Reader(text)
    node = reader.either(0)
    reader.require_end()
    return node


def check(node: Node, known: Known) -> None:
    """Raise ExpressionError for what is not supported, or has no meaning at this place."""
    for one in node.walk():
        if one.kind == "call" and one.value in STATUS_FUNCTIONS and not known.status:
            raise ExpressionError(f"the function {one.value}() has a meaning in the `if` of a step only")
        if one.kind == "context" and one.value not in known.contexts:
            raise ExpressionError(f"the context {one.value!r} is not supported here; {', '.join(known.contexts)} are")
        if one.kind == "member" and one.parts[0].kind == "context" and one.parts[1].kind == "value":
            context, name = one.parts[0].value, text_of(one.parts[1].value)
            parts = known.contexts.get(context)
            if parts is not None and name.lower() not in parts:
                raise ExpressionError(f"{context}.{name} is not supported")


def evaluate(node: Node, scope: Scope) -> Any:
    """The value of an expression. Raises ExpressionError."""
    match node.kind:
        case "value":
            return node.value
        case "context":
            return scope.contexts[node.value]
        case "all":
            whole = evaluate(node.parts[0], scope)
            parts = whole.values() if isinstance(whole, dict) else whole if isinstance(whole, list) else ()
            return _Filtered(parts)
        case "member":
            whole, key = evaluate(node.parts[0], scope), evaluate(node.parts[1], scope)
            if isinstance(whole, _Filtered):
                return _Filtered(found for one in whole if (found := member(one, key)) is not None)
            return member(whole, key)
        case "call":
            return _call(node, scope)
        case "!":
            return not truth_of(evaluate(node.parts[0], scope))
        case "&&" | "||":
            for one in node.parts:
                value = evaluate(one, scope)
                if truth_of(value) == (node.kind == "||"):
                    break
            return value
    return _compare(node.kind, evaluate(node.parts[0], scope), evaluate(node.parts[1], scope))


def _compare(sign: str, left: Any, right: Any) -> bool:
    match sign:
        case "==":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
        case "<":
            return less(left, right)
        case ">":
            return less(right, left)
        case "<=":
            return less(left, right) or equal(left, right)
    return less(right, left) or equal(left, right)


def _call(node: Node, scope: Scope) -> Any:
    if node.value in STATUS_FUNCTIONS:
        # Nobody is left to ask when a job is cancelled here.
        return node.value == "always" or node.value == scope.status
    return FUNCTIONS[node.value][2](*(evaluate(one, scope) for one in node.parts))


class _Reader:
    """Reads an expression from left to right, each rule of the grammar a method; the loosest operator comes first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def either(self, depth: int) -> Node:
        return self._many("||", self._both, _within(depth))

    def require_end(self) -> None:
        if self._next < len(self._tokens):
            raise self._unexpected()

    def _both(self, depth: int) -> Node:
        return self._many("&&", self._equal, depth)

    def _many(self, sign: str, part: Callable[[int], Node], depth: int) -> Node:
        parts = [part(depth)]
        while self._take(sign):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Node(sign, parts=tuple(parts))

    def _equal(self, depth: int) -> Node:
        return self._compared(("==", "!="), self._ordered, depth)

    def _ordered(self, depth: int) -> Node:
        return self._compared(("<", "<=", ">", ">="), self._negated, depth)

    def _compared(self, signs: Sequence[str], part: Callable[[int], Node], depth: int) -> Node:
        node = part(depth)
        while sign := self._take(*signs):
            depth = _within(depth + 1)
            node = Node(sign, parts=(node, part(depth)))
        return node

    def _negated(self, depth: int) -> Node:
        if self._take("!"):
            return Node("!", parts=(self._negated(_within(depth + 1)),))
        node = self._one(depth)
        while sign := self._take(".", "["):
            depth = _within(depth + 1)
            if sign == "[":
                node = self._all(node) if self._take("*") else Node("member", parts=(node, self.either(depth)))
                self._require("]")
            elif self._take("*"):
                node = self._all(node)
            else:
                kind, name = self._token()
                if kind != "name":
                    raise self._unexpected(back=1)
                node = Node("member", parts=(node, Node("value", name)))
        return node

    def _all(self, node: Node) -> Node:
        return Node("all", parts=(node,))

    def _one(self, depth: int) -> Node:
        kind, text = self._token()
        if kind == "number":
            return Node("value", number_of(text))
        if kind == "string":
            return Node("value", text[1:-1].replace("''", "'"))
        if text == "(":
            node = self.either(depth + 1)
            self._require(")")
            return node
        if kind != "name":
            raise self._unexpected(back=1)
        if self._take("("):
            return self._called(text, depth)
        return Node("value", _WORDS[text]) if text in _WORDS else Node("context", text.lower())

    def _called(self, name: str, depth: int) -> Node:
        arguments: list[Node] = []
        while not self._take(")"):
            if arguments:
                self._require(",")
            arguments.append(self.either(depth + 1))
        function = name.lower()
        if function not in FUNCTIONS and function not in STATUS_FUNCTIONS:
            raise ExpressionError(f"the function {name}() is not supported")
        few, many, _ = FUNCTIONS.get(function, (0, 0, None))
        if not few <= len(arguments) <= many:
            wanted = str(few) if few == many else f"{few} to {many}"
            raise ExpressionError(f"the function {name}() takes {wanted} arguments, not {len(arguments)}")
        return Node("call", function, tuple(arguments))

    def _token(self) -> tuple[str, str]:
        if self._next == len(self._tokens):
            raise ExpressionError(f"the expression {self._text.strip()!r} ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _take(self, *signs: str) -> str | None:
        if self._next < len(self._tokens) and self._tokens[self._next] in (("sign", sign) for sign in signs):
            return self._token()[1]
        return None

    def _require(self, sign: str) -> None:
        if not self._take(sign):
            if self._next < len(self._tokens):
                raise self._unexpected()
            raise ExpressionError(f"the expression {self._text.strip()!r} ends where {sign!r} is expected")

    def _unexpected(self, back: int = 0) -> ExpressionError:
        found = self._tokens[self._next - back][1]
        return ExpressionError(f"in the expression {self._text.strip()!r}, {found!r} is not expected")


def _within(depth: int) -> int:
    if depth > _DEEPEST:
        raise ExpressionError(f"the expression is nested deeper than {_DEEPEST} levels")
    return depth


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()
            raise ExpressionError(f"in the expression {text.strip()!r}, {rest[:20]!r} cannot be read")
        yield str(match.lastgroup), match[str(match.lastgroup)]
        at = match.end()
