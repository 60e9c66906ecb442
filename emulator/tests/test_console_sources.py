"""What the files of the console keep to, and no browser tells: text is never markup, paths are the document's."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from chaser_emulator import assembly
from chaser_emulator.control.console import FOLDER

SCRIPTS = sorted(path for path in FOLDER.rglob("*.js") if "vendor" not in path.parts)
STYLES = sorted(FOLDER.glob("*.css"))

_ASKS = re.compile(r"""\b(?:call|stream|address|operation|formOf|upload|socketAddress)\(\s*"([a-z-]+)\"""")
_MARKUP = re.compile(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|Function)\b")
_AT_THE_TOP = re.compile(r"^\.([A-Za-z][\w-]*)\s*[,{]", re.MULTILINE)


def named(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_says_what_it_is_for_and_takes_nothing_for_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// ")
    assert _MARKUP.findall(text) == []
    assert [line for line in text.splitlines() if len(line) > 130] == []


def test_scripts_ask_for_operations_that_there_are_and_type_no_path() -> None:
    documents = [assembly.assemble(source) for source in (assembly.API, assembly.CONTROL)]
    known = {node["operationId"] for one in documents for _path, _method, node in assembly.operations(one)}
    asked = {name for path in SCRIPTS for name in _ASKS.findall(path.read_text(encoding="utf-8"))}
    assert len(asked) > 100
    assert asked - known == set()
    typed = [named(path) for path in SCRIPTS if re.search(r"""["'`/]v1/""", path.read_text(encoding="utf-8"))]
    assert typed == []


def test_a_class_has_its_look_in_one_stylesheet() -> None:
    """They stay when another page is opened."""
    where = Counter(name for path in STYLES for name in set(_AT_THE_TOP.findall(path.read_text(encoding="utf-8"))))
    assert [name for name, count in where.items() if count > 1] == []
