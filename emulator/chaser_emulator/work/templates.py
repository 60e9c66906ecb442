"""Values of a workflow file that may hold expressions: plain ones, texts with `${{ }}` in them, and conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chaser_emulator.work.coercions import ExpressionError, joined, text_of, truth_of
from chaser_emulator.work.expressions import Known, Node, Scope, check, evaluate, parse

_LONGEST = 21_000
"""Characters of an expression that GitHub takes."""

_SUCCESS = Node("call", "success")


@dataclass(frozen=True)
class Template:
    """A value, or the parts of a text: what stands there, and expressions."""

    parts: tuple[Any, ...]

    def value(self, scope: Scope) -> Any:
        """What it is: an expression alone keeps its kind, all else with expressions is text. Raises ExpressionError."""
        if len(self.parts) == 1:
            [only] = self.parts
            return evaluate(only, scope) if isinstance(only, Node) else only
        return joined(text_of(evaluate(one, scope)) if isinstance(one, Node) else one for one in self.parts)

    def text(self, scope: Scope) -> str:
        return text_of(self.value(scope))

    @property
    def fixed(self) -> bool:
        """Whether it holds no expression."""
        return not any(isinstance(one, Node) for one in self.parts)


def template(value: Any, known: Known) -> Template:
    """A value of the file, with its expressions checked for this place. Raises ExpressionError."""
    if not isinstance(value, str) or "${{" not in value:
        return Template((value,))
    parts: list[Any] = []
    rest = value
    while "${{" in rest:
        before, _, rest = rest.partition("${{")
        inside, rest = _inside(rest)
        if before:
            parts.append(before)
        if len(inside) > _LONGEST:
            raise ExpressionError(f"an expression has {len(inside)} characters; at most {_LONGEST} are accepted")
        node = parse(inside)
        check(node, known)
        parts.append(node)
    return Template((*parts, rest) if rest else tuple(parts))


def _inside(text: str) -> tuple[str, str]:
    """What stands before the `}}` that is in no string, and what follows it."""
    quoted = False
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted and text.startswith("}}", at):
            return text[:at], text[at + 2 :]
    raise ExpressionError(f"the expression that begins with {text.strip()[:40]!r} is never closed by }}}}")


@dataclass(frozen=True)
class Condition:
    """The `if` of a step. It asks for success by itself unless it says something about the status."""

    template: Template

    def holds(self, scope: Scope) -> bool:
        """Raises ExpressionError."""
        asks = any(isinstance(one, Node) and one.asks_status for one in self.template.parts)
        if not asks and not truth_of(evaluate(_SUCCESS, scope)):
            return False
        return truth_of(self.template.value(scope))


def condition(value: Any, known: Known) -> Condition:
    """What an `if` says; with no `${{ }}` all of it is an expression. Raises ExpressionError."""
    if value is None or value == "":
        return Condition(Template((True,)))
    if not isinstance(value, str) or "${{" in value:
        # As with GitHub, `${{ a }} == b` is a text, which is true.
        return Condition(template(value.strip() if isinstance(value, str) else value, known))
    node = parse(value)
    check(node, known)
    return Condition(Template((node,)))
