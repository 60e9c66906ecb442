"""What jobs do, a module for each group of kinds; the queue that runs them is in `jobs.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaser_emulator.acting import Acting


@dataclass(frozen=True)
class Task:
    """The work of one job: for whom, and its input, which the document has accepted.

    Cancelling what runs it stops the work for good: when the cancellation has come through, nothing of it goes on.
    """

    who: Acting
    input: Mapping[str, Any]

    async def perform(
        self,
        operation_id: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Perform the operation of the API that does the same; answers its JSON. Raises ApiError."""
        return await self.who.world.perform(self.who, operation_id, body, path=path, query=query)


class JobFailed(Exception):
    """The work came to an end and failed, with a result all the same (J15). The message is the job's `error`."""

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


Work = Callable[[Task], Awaitable[Any]]
"""Does the work of one kind and answers the job's `result`. Raises JobFailed, ApiError and SandboxError."""
