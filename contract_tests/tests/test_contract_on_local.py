"""What takes commands that really run, on sandboxes that are processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chaser_contract import promises, running
from chaser_contract.targets import Target, Where, opened
from kept import assert_kept

PARTS = [one.name for one in promises.load().values() if "commands" in one.needs]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with opened(Where(seed=1, examples=3, sandbox="local")) as found:
        yield found


@pytest.mark.parametrize("part", PARTS)
def test_real_sandboxes_keep_what_is_promised(target: Target, part: str) -> None:
    assert_kept(running.try_part(target, part))
