"""The same run as tests of pytest: `pytest -p chaser_contract.plugin --pyargs chaser_contract.suite --target URL`.

Each part is a test by its own name, to be chosen with -k and skipped with --deselect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from chaser_contract.targets import Target, Where

HERE = "here"
"""The target that is an emulator of this process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaser-contract", "hold a Chaser against its document")
    group.addoption("--target", metavar="URL", help=f"what to test; {HERE!r} is an emulator of this process")
    group.addoption("--api-key", metavar="KEY", help="a key of the first user; CHASER_API_KEY")
    group.addoption("--peer-key", metavar="KEY", help="a key of another user; CHASER_PEER_KEY")
    group.addoption("--profile", choices=["emulator", "live"], default="emulator", help="what kind of target it is")
    group.addoption("--sandbox", choices=["scripted", "local", "docker"], default="scripted", help="the engine 'here'")
    group.addoption("--contract-seed", type=int, default=0, help="repeat a run exactly")
    group.addoption("--contract-examples", type=int, default=10, help="examples of each property")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "contract_part" not in metafunc.fixturenames:
        return
    where = where_of(metafunc.config)
    names: list[str] = []
    if where is not None:
        from chaser_contract.running import parts_of

        names = parts_of(where)
    metafunc.parametrize("contract_part", names, ids=names)


def where_of(config: pytest.Config) -> Where | None:
    """What the options name as target, or None where they name none."""
    import os

    from chaser_contract.targets import Where

    target = config.getoption("--target")
    if target is None:
        return None
    return Where(
        url=None if target == HERE else target,
        api_key=config.getoption("--api-key") or os.environ.get("CHASER_API_KEY"),
        peer_key=config.getoption("--peer-key") or os.environ.get("CHASER_PEER_KEY"),
        profile=config.getoption("--profile"),
        sandbox=config.getoption("--sandbox"),
        seed=config.getoption("--contract-seed"),
        examples=config.getoption("--contract-examples"),
    )


@pytest.fixture(scope="session")
def contract_target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """What is tested, for the whole run."""
    from chaser_contract.targets import Unreachable, opened

    try:
        with opened(cast("Where", where_of(request.config))) as target:
            yield target
        if target.guard is not None and target.guard.swept.left:
            pytest.fail("left behind: " + "; ".join(target.guard.swept.left), pytrace=False)
    except Unreachable as error:
        pytest.exit(str(error), returncode=2)
