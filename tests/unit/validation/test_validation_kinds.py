"""Flex flows, prompty files, Python function evaluators and the sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.validation.use_cases import changed, examine_use_case, findings_of, shown, write, write_use_case

FLEX = "flows/greet/flow.flex.yaml"
ENTRY = """\
    class Greeter:
        def __init__(self, tone: str, length: int = 3):
            self.tone = tone

        def __call__(self, name: str, title: str = "") -> dict:
            return {"answer": self.tone + name}
    """
EXPERIMENT = "experiment.yaml"


def _flex(folder: Path, changes: dict[str, str]) -> list[str]:
    use_case = write_use_case(folder, {FLEX: "entry: greeter:Greeter\n", "flows/greet/greeter.py": ENTRY, **changes})
    (use_case / "flows/greet/flow.dag.yaml").unlink()
    return shown(examine_use_case(use_case).findings)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            (
                "error flow.flex.yaml:1 The constructor needs the argument `tone`. Give it in init.json beside "
                "flow.flex.yaml."
            ),
        ),
        (
            {"flows/greet/init.json": '{\n  "ton": "hi"\n}\n'},
            "error init.json:2 The constructor takes no argument `ton`. Did you mean `tone`?",
        ),
        (
            {FLEX: "entry: greeter:Greeter\nsample:\n  init: {tone: hi, pace: 3}\n"},
            "error flow.flex.yaml:3 The constructor takes no argument `pace`. There are `tone`, `length`.",
        ),
        (
            {"flows/greet/greeter.py": "def Greeter(name): return name\n", "flows/greet/init.json": '{"tone": 1}'},
            "error init.json:1 The constructor takes no argument `tone`. It takes none: remove it.",
        ),
        (
            {FLEX: "entry: greeter:Greeter\ninputs: {name: {type: string}, nick: {type: string}}\n"},
            "error flow.flex.yaml:2 The entry takes no `nick`. There are `name`, `title`.",
        ),
        (
            {FLEX: "entry: greeter:Greeter\ninputs: {title: {type: string}}\n"},
            "error flow.flex.yaml:2 The entry needs `name`, which `inputs` does not declare. Add it.",
        ),
        (
            {FLEX: "entry: greeter:Greeter\ninputs: {name: {type: string}}\n"},
            "warning flow.flex.yaml:2 `inputs` does not declare `title`: the entry always gets its default.",
        ),
        ({FLEX: "entry: greter:Greeter\n"}, "error flow.flex.yaml:1 "),
    ],
)
def test_a_flex_flow(tmp_path: Path, changes: dict[str, str], expected: str) -> None:
    found = _flex(tmp_path, changes)
    assert any(line.startswith(expected) for line in found), found


@pytest.mark.parametrize(
    "changes",
    [
        {"flows/greet/init.json": '{"tone": "hi"}'},
        {FLEX: "entry: greeter:Greeter\nsample:\n  init: {tone: hi}\n"},
        {
            "experiment.yaml": changed(EXPERIMENT, "datasets:", "hyperparameters: {init: {tone: [hi, ho]}}\ndatasets:")[
                EXPERIMENT
            ]
        },
        {
            "flows/greet/greeter.py": "def Greeter(**inputs): return inputs\n",
            FLEX: "entry: greeter:Greeter\ninputs: {name: {}}",
        },
        {
            "flows/greet/greeter.py": "class Greeter:\n def __init__(s, **all): ...\n def __call__(s, name): ...\n",
            "flows/greet/init.json": '{"anything": 1}',
        },
    ],
)
def test_a_flex_flow_that_is_complete(tmp_path: Path, changes: dict[str, str]) -> None:
    assert _flex(tmp_path, changes) == []


@pytest.mark.parametrize("where", ["init.json", "flow.flex.yaml"])
def test_the_connection_of_a_flex_flow(tmp_path: Path, where: str) -> None:
    init = '{"model_config": {"connection": "gone"}}'
    changes = {
        "flows/greet/greeter.py": "class Greeter:\n def __init__(s, model_config): ...\n def __call__(s, name): ...\n",
        **(
            {"flows/greet/init.json": init}
            if where == "init.json"
            else {FLEX: f"entry: greeter:Greeter\nsample: {{init: {init}}}\n"}
        ),
    }
    (found,) = _flex(tmp_path, changes)
    line = 1 if where == "init.json" else 2
    assert found.startswith(f"error {where}:{line} The flow uses the connection `gone`, which is not defined.")


def test_a_variable_that_a_constructor_argument_asks_for(tmp_path: Path) -> None:
    found = _flex(tmp_path, {"flows/greet/init.json": '{"tone": "${GREETING}"}'})
    assert [line.split(",")[0] for line in found] == ["error init.json:1 This file asks for `GREETING`"]


PROMPTY = """\
    ---
    name: polite
    model:
      api: chat
      configuration: {connection: aoai, azure_deployment: gpt}
    inputs:
      answer: {type: string}
      truth: {type: string}
    ---
    system:
    Is {{answer}} the same as {{truth}}?
    """


def _prompty(folder: Path, old: str = "", new: str = "") -> list[str]:
    assert old in PROMPTY
    file = "flows/polite/polite.prompty"
    use_case = write_use_case(folder, {file: PROMPTY.replace(old, new, 1) if old else PROMPTY})
    (use_case / "flows/polite/flow.dag.yaml").unlink()
    return shown(examine_use_case(use_case).findings)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{{truth}}?",
            "{{truth}} or {{other}}?",
            (
                "warning polite.prompty:10 The template uses `other`, which the prompty does not give: rendered as "
                "empty text. Add it to the inputs, or remove it from the template."
            ),
        ),
        (
            " the same as {{truth}}?",
            "?",
            "warning polite.prompty:8 The template does not use the input `truth`. Use it, or remove it.",
        ),
        (
            "{{answer}} the",
            "{{answer the",
            "error polite.prompty:11 Not a valid Jinja template: expected token 'end of print statement', got 'the'.",
        ),
        ("api: chat", "api: talk", "error polite.prompty:4 `model.api` is one of `chat`, `completion`, not `talk`."),
        (
            "connection: aoai, ",
            "",
            (
                "error polite.prompty:5 `model.configuration` needs `connection: <name>`, or `type: azure_openai` or "
                "`openai`."
            ),
        ),
        (
            "connection: aoai",
            "connection: aoi",
            (
                "error polite.prompty:5 The evaluator `polite` uses the connection `aoi`, which is not defined. "
                "Did you mean `aoai`?"
            ),
        ),
        (
            "    model:\n",
            "    modell:\n",
            "error polite.prompty:2 A prompty needs `model` with `api` and `configuration`.",
        ),
    ],
)
def test_a_prompty(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in _prompty(tmp_path, old, new)


def test_a_prompty_that_is_complete(tmp_path: Path) -> None:
    assert _prompty(tmp_path) == []


def _functions(folder: Path, code: str) -> list[str]:
    use_case = write(write_use_case(folder), {"flows/polite/eval_polite.py": code})
    (use_case / "flows/polite/flow.dag.yaml").unlink()
    return shown(examine_use_case(use_case).findings)


def test_function_evaluators(tmp_path: Path) -> None:
    assert _functions(tmp_path / "a", "def eval_polite(answer: str, truth: str): ...\n") == []
    assert _functions(tmp_path / "b", "def eval_polite(answer, /, truth, *more): ...\n") == [
        (
            "error eval_polite.py:1 `answer` of `eval_polite` is positional-only, but inputs are passed by name. "
            "Remove the `/`."
        ),
        "warning eval_polite.py:1 `*more` of `eval_polite` stays empty: inputs are passed by name.",
    ]
    (found,) = _functions(tmp_path / "c", "def eval_polite(answer, truth, tone): ...\n")
    assert found.startswith("error experiment.yaml:18 The input `tone` of the evaluator `polite` has no default")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("variants: [ask.lng]", "error experiment.yaml:"),
        ("hyperparameters: {aks: {temperature: [0, 1]}}", "error "),
        ("max_variations: 1", "error "),
        ("hyperparameters: {tidy: {speed: [1, 2]}}", "error flow.dag.yaml:9 `hyperparameters` sets `speed`"),
    ],
)
def test_a_sweep_that_cannot_be_made(tmp_path: Path, written: str, expected: str) -> None:
    found = findings_of(tmp_path, changed(EXPERIMENT, "datasets:", f"{written}\ndatasets:"))
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_sweep_over_connections_checks_each_of_them(tmp_path: Path) -> None:
    sweep = "hyperparameters: {ask: {connection: [aoai, gone]}}\ndatasets:"
    (found,) = findings_of(tmp_path, changed(EXPERIMENT, "datasets:", sweep))
    assert found.startswith("error flow.dag.yaml:1 The node `ask` uses the connection `gone`, which is not defined")


def test_two_evaluators_that_share_a_broken_flow_say_it_once(tmp_path: Path) -> None:
    datasets = "[{name: people, mappings: {answer: x, truth: x}}]"
    block = f"- name: again\n  flow: flows/polite\n  datasets: {datasets}\n- name: polite"
    broken = changed("flows/polite/flow.dag.yaml", "${inputs.truth}", "${inputs.true}")
    found = findings_of(tmp_path, {**changed(EXPERIMENT, "- name: polite", block), **broken})
    assert sum("no input `true`" in line for line in found) == 1
