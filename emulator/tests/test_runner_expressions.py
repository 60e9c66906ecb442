"""Expressions of workflows, as GitHub works them out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from workflows import Runs, of_steps, outputs, runs_on, statuses

VALUES = {
    # Literals, as text.
    "null": "",
    "true": "true",
    "711": "711",
    "-9.20": "-9.2",
    "0xff": "255",
    "0o17": "15",
    "-2.99e-2": "-0.0299",
    "Infinity": "Infinity",
    "NaN": "NaN",
    "'It''s'": "It's",
    "'}}'": "}}",
    "''": "",
    # Operators.
    "!true": "false",
    "!!'x'": "true",
    "1 < 2 == true": "true",
    "true == 1 < 2": "true",
    "1 || 2": "1",
    "0 || '' || 'last'": "last",
    "1 && 'second'": "second",
    "0 && 1": "0",
    "true || false && false": "true",
    "(true || false) && false": "false",
    "!(1 > 2) && 2 >= 2 && 2 <= 2": "true",
    "'b' > 'A'": "true",
    # Loose equality.
    "'ABC' == 'abc'": "true",
    "'abc' != 'abd'": "true",
    "null == 0": "true",
    "'' == 0": "true",
    "' 0xF ' == 15": "true",
    "true == '1'": "true",
    "'x' == 0": "false",
    "'x' != 0": "true",
    "NaN == NaN": "false",
    "null == null": "true",
    "null < null": "false",
    "null < 1": "true",
    "matrix == matrix": "true",
    "matrix.list == github": "false",
    "matrix.list < matrix.list": "false",
    # Parts.
    "matrix.word": "Word",
    "MATRIX.WORD": "Word",
    "matrix['word']": "Word",
    "matrix[format('w{0}', 'ord')]": "Word",
    "matrix.none": "",
    "matrix.none.deeper": "",
    "matrix.list": "Array",
    "matrix": "Object",
    "matrix.list[1].v": "2",
    "matrix.list['1'].v": "2",
    "matrix.list[9]": "",
    "join(matrix.list.*.v, '-')": "1-2",
    "join(matrix.list[*].v)": "1,2",
    "join(matrix.map.*)": "1,2",
    # Functions.
    "contains('Hello', 'ELL')": "true",
    "contains('v10', 1)": "true",
    "contains(matrix.names, 'B')": "true",
    "contains(matrix.names, 'AB')": "false",
    "contains(matrix.list.*.v, '2')": "true",
    "startsWith('Hello', 'hE')": "true",
    "endsWith('Hello', 'LO')": "true",
    "StartsWith('Hello', 'x')": "false",
    "format('{{{0}}} {1}{0}', 'a', true)": "{a} truea",
    "join('one')": "one",
    'fromJSON(\'{"a": [1, {"b": "c"}]}\').a[1].b': "c",
    "fromJSON('1.50')": "1.5",
    "fromJSON('\"t\"')": "t",
    "toJSON('a\"b')": '"a\\"b"',
    "toJSON(matrix.names[5])": "null",
    "toJSON(fromJSON('{\"a\":[1]}'))": '{\n  "a": [\n    1\n  ]\n}',
    # What a step sees.
    "job.status": "success",
    "runner.os": "Linux",
    "steps.none.outputs.x": "",
    "env.GIVEN": "g ",
    "github.repository_owner": "octo",
    "github.event_name": "push",
}

MATRIX = "{word: [Word], list: [[{v: 1}, {v: 2}]], names: [[a, b]], map: [{a: 1, b: 2}]}"


@pytest.fixture(name="runs", scope="module")
def runs_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with runs_on("local", tmp_path_factory.mktemp("github")) as one:
        yield one


def test_values_are_those_of_github(runs: Runs) -> None:
    workflow = of_steps("- shell: cat {0}\n  env: {GIVEN: 'g '}\n  run: |\n")
    workflow += "".join(f"          [${{{{ {expression} }}}}]\n" for expression in VALUES)
    workflow = workflow.replace("    steps:", f"    strategy: {{matrix: {MATRIX}}}\n    steps:")
    job = runs.run(workflow, matrix={"word": "Word"})
    assert job["status"] == "completed", job["error"]
    [output] = outputs(job)
    found = output.removeprefix("[").removesuffix("]\n").split("]\n[")
    assert dict(zip(VALUES, found, strict=True)) == VALUES


@pytest.mark.parametrize(
    ("condition", "runs_it"),
    [
        ("if: github.repository_owner == 'octo'", True),
        ("if: ${{ github.repository_owner == 'octa' }}", False),
        ("if: false", False),
        ("if: 0", False),
        ("if: ''", True),
        ("if:", True),
        ("if: \"'false'\"", True),
        ("if: ${{ false }} || false", True),  # a text, and so true
        ("if: '  ${{ false }}  '", False),
        ("if: startsWith(github.ref, 'refs/heads/')", True),
        ("if: runner.os == 'windows' || env.MODE == 'FAST'", True),
        ("if: >-\n    always() &&\n    env.MODE != 'fast'", False),
    ],
)
def test_a_condition_decides(runs: Runs, condition: str, runs_it: bool) -> None:
    job = runs.steps(f"- run: echo\n  env: {{MODE: fast}}\n  {condition}\n")
    assert (job["status"], statuses(job)) == ("completed", ["completed" if runs_it else "skipped"])


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("fromJSON('{')", "fromJSON: '{' is no JSON"),
        ("fromJSON('\"\\ud800\"')", "fromJSON: "),
        ("format('{1}', 'a')", "format: '{1}' names {1}, and 1 values follow"),
        ("format('{', 'a')", "has a brace"),
        ("format('{0}{0}', " * 40 + "'x'" + ")" * 40, "a text of more than 10485760 characters"),
    ],
)
def test_an_expression_that_cannot_be_worked_out_fails_its_step(runs: Runs, expression: str, said: str) -> None:
    job = runs.steps(f"""
        - run: |
            echo ${{{{ {expression} }}}}
        - if: failure()
          run: echo after
    """)
    assert statuses(job) == ["failed", "completed"]
    assert said in job["result"]["steps"][0]["error"]
