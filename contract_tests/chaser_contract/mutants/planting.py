"""Planting a defect into the emulator of this process: one place of a function is edited, or an answer on its way out.

Product files stay as they are: an edited function is compiled from its own source, and only its code is exchanged, so
that everybody who has the function has the defect, and has it no more once the block ends.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import json
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from chaser_emulator.pipeline import Pipeline
from chaser_emulator.spec import Operation
from starlette.requests import Request
from starlette.responses import Response

_MARK = "__mutant_was_reached__"


class Stale(Exception):
    """A defect does not fit the emulator any more: what it changes is not there, or is there more than once."""


class NotUndone(Exception):
    """Something has changed meanwhile what a defect had changed, so that it cannot be taken out cleanly."""


@dataclass
class Reach:
    """Whether what a defect has changed was executed."""

    times: int = 0

    def mark(self) -> None:
        self.times += 1


Plant = Callable[[Reach], AbstractContextManager[None]]
"""Puts a defect in for as long as the block lasts. Raises Stale, and NotUndone at the end."""


def edit(place: str, before: str, after: str, *more: tuple[str, str], forget: tuple[str, ...] = ()) -> Plant:
    """Text of a function exchanged, which must be there exactly once: `edit("store.sessions:live", "DESC", "ASC")`.

    `more` are further pairs of texts; `forget` names functions that remember what they answered, and are to ask anew.
    """

    @contextmanager
    def planted(reach: Reach) -> Iterator[None]:
        function, module = _function(place)
        remembering = [found(one) for one in forget]
        original, source = function.__code__, textwrap.dedent(inspect.getsource(function))
        line = source[: source.find(before)].count("\n") + 1
        for old, new in ((before, after), *more):
            if (times := source.count(old)) != 1:
                raise Stale(f"{place}: {old!r} is there {times} times")
            source = source.replace(old, new)
        changed = _compiled(function, source, line)
        setattr(module, _MARK, reach.mark)
        function.__code__ = changed
        for one in remembering:
            one.cache_clear()
        try:
            yield
        finally:
            undone = function.__code__ is changed
            function.__code__ = original
            # What is under way still may come by.
            setattr(module, _MARK, _nothing)
            for one in remembering:
                one.cache_clear()
            if not undone:
                raise NotUndone(place)

    return planted


def schema(before: str, after: str) -> Plant:
    """Text of the database's form exchanged: of a table, an index or a trigger."""
    migrations = found("store:migrations")()
    if (times := sum(text.count(before) for _, text in migrations)) != 1:

        @contextmanager
        def stale(reach: Reach) -> Iterator[None]:
            raise Stale(f"the database: {before!r} is there {times} times")
            yield

        return stale
    return edit(
        "store:migrations",
        'file.read_text("utf-8")',
        f'file.read_text("utf-8").replace({before!r}, {after!r})',
        forget=("store:migrations", "store:empty"),
    )


def all_of(*plants: Plant) -> Plant:
    """Several places at once: one mistake that is made in each of them."""

    @contextmanager
    def planted(reach: Reach) -> Iterator[None]:
        with ExitStack() as stack:
            for one in plants:
                stack.enter_context(one(reach))
            yield

    return planted


@dataclass
class Wire:
    """An answer on its way out. `json` is its body where that is JSON; what is changed of it is sent."""

    operation: str
    status: int
    headers: dict[str, str]
    json: Any = None
    raw: bytes | None = None
    """Sent in the place of `json`, where it is not None."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """What the request's path and query said."""


def answers(operation_id: str | None, change: Callable[[Wire], None], *, status: int | None = None) -> Plant:
    """The answers of an operation changed after the emulator has held them against its document.

    None: those of all operations. `status` None: those that succeed; 0: all.
    """

    @contextmanager
    def planted(reach: Reach) -> Iterator[None]:
        original = Pipeline.perform

        async def perform(self: Pipeline, request: Request, operation: Operation) -> Response:
            response = await original(self, request, operation)
            fits = response.status_code < 400 if status is None else status in (0, response.status_code)
            if not fits or operation_id not in (None, operation.id) or "body" not in vars(response):
                return response
            reach.mark()
            return _sent(response, operation, change, request)

        Pipeline.perform = perform  # type: ignore[method-assign]
        try:
            yield
        finally:
            undone = Pipeline.perform is perform
            Pipeline.perform = original  # type: ignore[method-assign]
            if not undone:
                raise NotUndone("pipeline:Pipeline.perform")

    return planted


def _sent(response: Response, operation: Operation, change: Callable[[Wire], None], request: Request) -> Response:
    body = bytes(response.body)
    is_json = (response.media_type or "") == "application/json"
    headers = {name: value for name, value in response.headers.items() if name not in ("content-length",)}
    asked = {**request.path_params, **request.query_params}
    wire = Wire(operation.id, response.status_code, headers, json.loads(body) if is_json else None, request=asked)
    change(wire)
    if wire.raw is not None:
        body = wire.raw
    elif is_json:
        body = json.dumps(wire.json, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, wire.status, wire.headers)


def as_status(status: int, body: bytes | None = None) -> Callable[[Wire], None]:
    """The answer with another status, and another body where one is said."""

    def change(wire: Wire) -> None:
        wire.status, wire.raw = status, body

    return change


def dropped(*path: str | int) -> Callable[[Wire], None]:
    """A field of the answer left out, by its place; `*` stands for each of a list."""
    return _at(path, lambda holder, key: holder.pop(key, None))


def renamed(new: str, *path: str | int) -> Callable[[Wire], None]:
    """A field of the answer under another name."""

    def change(holder: Any, key: Any) -> None:
        if key in holder:
            holder[new] = holder.pop(key)

    return _at(path, change)


def turned(turn: Callable[[Any], Any], *path: str | int) -> Callable[[Wire], None]:
    """A value of the answer as something else."""

    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, list) or key in holder:
            holder[key] = turn(holder[key])

    return _at(path, change)


def _at(path: tuple[str | int, ...], change: Callable[[Any, Any], object]) -> Callable[[Wire], None]:
    *way, last = path

    def apply(wire: Wire) -> None:
        holders = [wire.json]
        for part in way:
            holders = [
                child for holder in holders for child in (holder if part == "*" else [holder.get(part)]) if child
            ]
        for holder in holders:
            change(holder, last)

    return apply


def found(place: str) -> Any:
    """What stands at `module:name.name` in the emulator. Raises Stale."""
    module_name, _, path = place.partition(":")
    here: Any = importlib.import_module(f"chaser_emulator.{module_name}")
    for name in path.split("."):
        try:
            here = inspect.getattr_static(here, name)
        except AttributeError:
            raise Stale(f"{place}: there is no {name}") from None
    return here


def _function(place: str) -> tuple[FunctionType, ModuleType]:
    """The plain function beneath whatever decorates it."""
    here = found(place)
    for attribute in ("fget", "func", "__func__"):
        here = getattr(here, attribute, here) if not isinstance(here, FunctionType) else here
    here = inspect.unwrap(here)
    if not isinstance(here, FunctionType):
        raise Stale(f"{place}: it is no function but {type(here).__name__}")
    module = importlib.import_module(here.__module__)
    return here, module


def _compiled(function: FunctionType, source: str, line: int) -> CodeType:
    """The code of a function whose source was changed in a line, which notes that it was reached."""
    tree = ast.parse(source)
    definition = tree.body[0]
    assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))  # noqa: S101 - it is a function's source
    definition.decorator_list = []
    _mark(definition, line)
    free = function.__code__.co_freevars
    if free:
        # What it takes from around it has to be around it again.
        parameters = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
        tree.body = [ast.FunctionDef("around", parameters, [definition], [])]
    ast.fix_missing_locations(tree)
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    flags = function.__code__.co_flags & __future__.annotations.compiler_flag
    with warnings.catch_warnings():
        # A defect may well be what a compiler warns of.
        warnings.simplefilter("ignore", SyntaxWarning)
        code = compile(tree, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    return _inner(_inner(code, "around"), definition.name) if free else _inner(code, definition.name)


def _inner(code: CodeType, name: str) -> CodeType:
    return next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)


def _mark(definition: ast.AST, line: int) -> None:
    """Note the execution of the innermost statement that a line belongs to."""
    best: tuple[int, list[ast.stmt], int] | None = None
    for node in ast.walk(definition):
        for block in ("body", "orelse", "finalbody"):
            statements = getattr(node, block, None)
            if not isinstance(statements, list):
                continue
            for place, one in enumerate(statements):
                if isinstance(one, ast.stmt) and one.lineno <= line <= (one.end_lineno or one.lineno):
                    size = (one.end_lineno or one.lineno) - one.lineno
                    if best is None or size <= best[0]:
                        best = size, statements, place
    if best is None:
        assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))  # noqa: S101 - the caller's
        best = 0, definition.body, 0
    _, statements, place = best
    mark = ast.Expr(ast.Call(ast.Name(_MARK, ast.Load()), [], []))
    statements.insert(place, ast.copy_location(mark, statements[place]))


def _nothing() -> None:
    pass
