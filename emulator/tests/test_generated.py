"""What is generated says what the document says, and a stale file is noticed and named."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chaser_emulator import assembly, shapes, spec

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("README.md", "emulator/ASSUMPTIONS.md", "emulator/chaser_emulator/shapes.py")


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    # -P: the script's own folder holds no complete package where only a part of the sources was copied.
    command = [sys.executable, "-P", str(folder / "emulator" / "generate.py"), "--check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_what_is_committed_is_what_the_document_gives() -> None:
    done = check(ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_stale_file_is_named_and_left_alone(tmp_path: Path) -> None:
    for name in (*GENERATED, "emulator/generate.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    readme = (tmp_path / "README.md").read_text("utf-8")
    (tmp_path / "README.md").write_text(readme.replace("| none |", "| all |", 1), "utf-8")
    (tmp_path / "emulator" / "ASSUMPTIONS.md").unlink()
    changed = (tmp_path / "README.md").read_bytes()
    done = check(tmp_path)
    assert done.returncode == 1
    assert re.findall(r"^(\S+) is stale; run: make generate$", done.stderr, re.M) == [
        "emulator/ASSUMPTIONS.md",
        "README.md",
    ]
    assert (tmp_path / "README.md").read_bytes() == changed
    assert not (tmp_path / "emulator" / "ASSUMPTIONS.md").exists()


def test_every_schema_has_a_shape() -> None:
    names = spec.load().document["components"]["schemas"]
    assert [name for name in names if not hasattr(shapes, name)] == []


def test_a_shape_requires_what_its_schema_requires() -> None:
    schemas = spec.load().document["components"]["schemas"]
    closed = {
        name: schema
        for name, schema in schemas.items()
        if schema.get("type") == "object" and schema.get("properties") and "allOf" not in schema
    }
    assert len(closed) > 30
    for name, schema in closed.items():
        shape = getattr(shapes, name)
        assert shape.__annotations__.keys() == schema["properties"].keys(), name


def test_every_ruling_is_told_where_it_is_used() -> None:
    text = (ROOT / "emulator" / "ASSUMPTIONS.md").read_text("utf-8")
    assert [number for number in assembly.rulings() if f"- **{number}** " not in text] == []
    told = re.findall(r"^## (\S+)$", text, re.M)
    assert told == [node["operationId"] for _path, _method, node in assembly.operations(spec.load().document)]


@pytest.mark.parametrize("operation_id", ["create-session", "list-audit-events"])
def test_the_readme_lists_an_operation(operation_id: str) -> None:
    operation = spec.load().operations[operation_id]
    row = f"| {operation_id} | `{operation.method} {operation.path}` | {operation.scope} |"
    assert row in (ROOT / "README.md").read_text("utf-8")
