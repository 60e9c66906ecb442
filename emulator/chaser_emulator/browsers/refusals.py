"""What may go wrong with Chromium, as the API says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chaser_emulator.browsers import devtools
from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import PortClosed


@contextmanager
def as_answers() -> Iterator[None]:
    """Raise ApiError in place of what DevTools raise."""
    try:
        yield
    except devtools.NoTarget as error:
        raise ApiError("not_found", str(error)) from None
    except devtools.NoAnswer as error:
        raise ApiError("gateway_timeout", str(error)) from None
    except devtools.Failed as error:
        raise ApiError("bad_gateway", str(error)) from None
    except TimeoutError:
        raise ApiError("gateway_timeout", "the browser did not answer in time") from None
    except PortClosed:
        raise ApiError("bad_gateway", "the browser does not listen any more") from None
