"""`pytest contract_tests --target URL` holds that Chaser against its document; else the harness itself is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_SUITE, _OWN = _HERE / "chaser_contract" / "suite", _HERE / "tests"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.import_plugin("chaser_contract.plugin")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    left_out = _SUITE if config.getoption("--target") is None else _OWN
    return True if collection_path == left_out else None
