"""What an engine raises, as the API says it."""

from __future__ import annotations

from chaser_emulator import sandbox
from chaser_emulator.errors import ApiError, Problem, invalid


def of_sandbox(error: sandbox.SandboxError) -> ApiError:
    """The refusal that an error of an engine is."""
    text = str(error)
    match error:
        case sandbox.SandboxGone():
            return ApiError("not_running", text)
        case sandbox.UnknownDirectory():
            return invalid([Problem("body", "/cwd", text)])
        case sandbox.UnknownUser():
            return invalid([Problem("body", "/user", text)])
        case sandbox.PathNotFound():
            return ApiError("not_found", text)
        case sandbox.BadPath() | sandbox.NotAFile() | sandbox.NotAFolder() | sandbox.NotWritable():
            return ApiError("invalid_request", text)
        case sandbox.TooMuch():
            return ApiError("payload_too_large", text)
        case sandbox.DiskFull():
            return ApiError("storage_limit_exceeded", text)
        case _:
            return ApiError("sandbox_unavailable", text)
