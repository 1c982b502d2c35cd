"""Tests of the Python nodes, above all of what hostile code cannot do: no model, no network."""

import importlib.util
import json
import time
from pathlib import Path

import pytest

FLOWS = Path(__file__).resolve().parents[1] / "flows"


def node(path):
    """The module of a node, loaded by its path: other use cases may have a node of the same name."""
    spec = importlib.util.spec_from_file_location(f"math_coding_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


execution = node(FLOWS / "math_standard_flow" / "code_execution.py")
code_refine = node(FLOWS / "math_standard_flow" / "code_refine.py").code_refine
math_examples = node(FLOWS / "math_standard_flow" / "math_examples.py").math_examples
compare = node(FLOWS / "math_evaluation_flow" / "compare.py").compare
totals = node(FLOWS / "math_evaluation_flow" / "totals.py").totals


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ('{"code": "print(1)"}', "print(1)"),
        ('{"code": "a = 1\nprint(a)"}', "a = 1\nprint(a)"),
        ('```json\n{"code": "print(1)"}\n```', "print(1)"),
        ("Here it is:\n```python\nprint(1)\n```\nDone.", "print(1)"),
        ("print({1: 2})", "print({1: 2})"),
        ('{"code": 7}', '{"code": 7}'),
        ("print(1)", "print(1)"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_program_is_taken_out_of_the_answer(answer, code):
    assert code_refine(answer=answer) == code


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("print(6 * 7)", "42"),
        ("import math\nprint(math.comb(9, 3))", "84"),
        ("from fractions import Fraction as F\nprint(F(1, 3) + F(1, 6))", "1/2"),
        ("import statistics\nprint(statistics.median([3, 1, 2]))", "2"),
        ("from itertools import product\nprint(sum(1 for a, b in product(range(6), repeat=2) if a == b))", "6"),
        ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nprint(f(5))", "120"),
        ("x = [n for n in range(10) if n % 2]\nx.append(1)\nprint(f'{sum(x):.1f}')", "26.0"),
        ("try:\n    print(1 / 0)\nexcept ZeroDivisionError:\n    print('none')", "none"),
        ("print('caf\u00e9')", "caf\u00e9"),
    ],
)
def test_programs_of_mathematics_run(code, output):
    assert execution.code_execution(code=code) == output


HOSTILE = {
    "a shell": "import os\nos.system('touch MARK')",
    "a shell by name": "__import__('os').system('true')",
    "a process": "import subprocess\nsubprocess.run(['true'])",
    "a file": "open('/etc/passwd').read()",
    "the environment": "from os import environ\nprint(environ)",
    "a socket": "import socket",
    "evaluation": "eval('1')",
    "execution": "exec('1')",
    "compilation": "compile('1', 'x', 'eval')",
    "attributes by name": "getattr(1, 'real')",
    "all subclasses": "print(().__class__.__base__.__subclasses__())",
    "globals of a function": "def f():\n    pass\nprint(f.__globals__)",
    "a module behind a module": "import statistics\nstatistics.sys.modules['os'].system('true')",
    "a module behind an import": "from statistics import sys",
    "everything of a module": "from math import *",
    "the frame of a generator": "g = (x for x in [1])\nprint(g.gi_frame.f_back.f_globals)",
    "the frame of an error": "try:\n    1 / 0\nexcept Exception as e:\n    print(e.__traceback__.tb_frame)",
    "a format string": "print('{0.__class__}'.format(1))",
    "a map of a format string": "print('{a}'.format_map({'a': 1}))",
    "a class": "class A:\n    pass",
    "a with statement": "with 1:\n    pass",
    "an underscored argument": "def f(_x):\n    return _x",
    "input": "input()",
    "a breakpoint": "breakpoint()",
    "leaving": "exit(0)",
    "the builtins": "print(__builtins__)",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_hostile_code_is_refused(tmp_path, code):
    mark = tmp_path / "owned"
    assert execution.code_execution(code=code.replace("MARK", str(mark))).startswith("Error: ")
    assert not mark.exists()


BOMBS = {
    "an endless loop": "while True:\n    pass",
    "an endless sum": "import itertools\nprint(sum(itertools.count()))",
    "a huge power": "print(len(str(9 ** 9 ** 9)))",
    "a huge list": "x = [0] * 10 ** 10",
    "a growing list": "x = [1]\nwhile True:\n    x = x + x",
    "a huge text": "x = 'a' * 10 ** 12",
    "endless output": "while True:\n    print('x' * 1000)",
    "one huge line": "print('x' * 10 ** 7)",
    "endless recursion": "def f():\n    return f()\nf()",
    "deep nesting": "(" * 4000 + ")" * 4000,
    "many signs": "-" * 9000 + "1",
    "too much code": "1\n" * 10_000,
    "no code": "  \n",
    "broken code": "def f(:",
    "a null character": "print(1)\0",
    "half a character": "print('\ud800')\nimport os",
}


@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS)
def test_bombs_end_quickly_with_an_error(monkeypatch, code):
    monkeypatch.setattr(execution.run, "__defaults__", (1.0,))
    started = time.monotonic()
    answer = execution.code_execution(code=code)
    assert answer.startswith("Error: ")
    assert len(answer) < 500
    assert time.monotonic() - started < 10


def test_the_kernel_forbids_files_and_processes_even_without_the_other_walls(tmp_path):
    """The limits alone, asked with code that would never pass the check."""
    script = tmp_path / "limits.py"
    script.write_text(
        f"import sys, os\nsys.path.insert(0, {str(execution.SANDBOX.parent)!r})\nimport sandbox\nsandbox.limit()\n"
        "try:\n    open('x', 'w')\nexcept OSError:\n    print('no files')\n",
        encoding="utf-8",
    )
    done = execution.subprocess.run(
        [execution.sys.executable, "-B", str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "no files\n"
    assert list(tmp_path.iterdir()) == [script]


def test_the_child_sees_no_environment(monkeypatch):
    seen = {}

    class StopError(Exception):
        pass

    def record(command, **options):
        seen.update(options, command=command)
        raise StopError

    monkeypatch.setenv("AOAI_API_KEY", "secret")
    monkeypatch.setattr(execution.subprocess, "Popen", record)
    with pytest.raises(StopError):
        execution.run("print(1)")
    assert seen["env"] == {}
    assert seen["command"][1:3] == ["-I", "-S"]
    assert "print" not in " ".join(seen["command"])


def test_the_examples_run_and_are_not_in_the_dataset():
    data = (FLOWS.parent / "data" / "questions.jsonl").read_text(encoding="utf-8")
    questions = {json.loads(line)["question"] for line in data.splitlines()}
    for example in math_examples():
        assert example["question"] not in questions
        float(execution.code_execution(code=example["code"]))


@pytest.mark.parametrize(
    ("truth", "output", "correct", "failed"),
    [
        ("42", "42", True, False),
        ("42", "The answer is 42.0", True, False),
        ("113.10", "113.097", True, False),
        ("42", "-42", False, False),
        ("0.1111", "1.111e-1", True, False),
        ("42", "Error: NameError 42", False, True),
        ("42", "none", False, True),
    ],
)
def test_a_row_is_compared(truth, output, correct, failed):
    assert compare(groundtruth=truth, prediction=output) == {"correct": correct, "failed": failed}


def test_a_wrong_ground_truth_is_not_compared():
    with pytest.raises(ValueError, match="could not convert"):
        compare(groundtruth="many", prediction="1")


def test_the_totals_count_failures_as_rows(monkeypatch):
    logged = {}
    monkeypatch.setitem(totals.__wrapped__.__globals__, "log_metric", logged.__setitem__)
    rows = [{"correct": True, "failed": False}, {"correct": False, "failed": True}]
    assert totals(rows=rows) == {"accuracy": 0.5, "error_rate": 0.5} == logged
    assert totals(rows=[]) == {"accuracy": 0.0, "error_rate": 0.0}
