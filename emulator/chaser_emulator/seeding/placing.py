"""Where in a seed it was that something was refused while it was made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.seeding.problems import Path, SeedError, SeedProblem
from chaser_emulator.seeding.text import SeedText


@asynccontextmanager
async def at(seed: SeedText, *path: str | int) -> AsyncIterator[None]:
    """Give whatever is refused within the block its place in the seed. Raises SeedError in the place of ApiError."""
    try:
        yield
    except ApiError as error:
        raise _refused(seed, error, path) from error
    except SandboxError as error:
        raise _refused(seed, ApiError("sandbox_unavailable", str(error)), path) from error


def _refused(seed: SeedText, error: ApiError, path: Path) -> SeedError:
    problems = []
    for problem in error.problems if error.problems and error.problems[0].location == "body" else ():
        where = (*path, *_steps(problem.pointer))
        problems.append(SeedProblem(seed.place(*where), where, problem.message, error.code))
    if not problems:
        problems = [SeedProblem(seed.place(*path), path, error.message, error.code)]
    return SeedError(seed.name, problems, applying=True)


def _steps(pointer: str) -> list[str | int]:
    """The parts of a JSON pointer; numbers are those of a list."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return [int(part) if part.isdecimal() else part for part in parts]
