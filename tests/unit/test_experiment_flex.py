"""Flex flows: functions and classes are read without being run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tests.unit.experiment_files import write

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.flows import load_flow, model_calls, resolve
from llmops_actions.experiment.flows.flex import connections_used, constructor_of, entry_signature
from llmops_actions.experiment.flows.types import Flow, FlowInput, ModelCall
from llmops_actions.experiment.sweep import Variation, make_variations


def load(tmp_path: Path, source: str, entry: str = "chat:Chat", **files: str) -> Flow:
    named = {name.replace("_json", ".json"): text for name, text in files.items()}
    more = {name: text for name, text in named.items() if name != "more"}
    definition = f"entry: {entry}\n" + files.get("more", "")
    return load_flow(write(tmp_path / "flow", {"flow.flex.yaml": definition, "chat.py": source, **more}))


def refused(tmp_path: Path, source: str, entry: str = "chat:Chat", **files: str) -> str:
    with pytest.raises(ExperimentError) as raised:
        load(tmp_path, source, entry, **files)
    assert raised.value.location is not None
    return str(raised.value).replace(f"{tmp_path / 'flow'}/", "")


FUNCTION = """
from typing import Annotated, Optional, Union
import typing


@trace
async def answer(
    question: str,
    history: "list[dict]" = [],
    limit: Optional[int] = None,
    ratio: Union[None, float] = 0.5,
    flag: bool | None = -1,
    names: typing.List[str] = tuple(),
    kind: Annotated[str, "x"] = "a",
    other: 3 = 1,
    bad: "not a type" = {[]: 1},
    *rest,
    only: dict = {"a": [1]},
    needed: "typing.Dict",
): ...
"""


def test_a_function(tmp_path: Path) -> None:
    flow = load(tmp_path, FUNCTION, "chat:answer")
    assert (flow.kind, flow.outputs, flow.any_input, flow.aggregates) == ("flex", None, False, False)
    assert flow.inputs == {
        "question": FlowInput("question", "string"),
        "history": FlowInput("history", "list", True, []),
        "limit": FlowInput("limit", "int", True, None),
        "ratio": FlowInput("ratio", "double", True, 0.5),
        "flag": FlowInput("flag", "bool", True, -1),
        "names": FlowInput("names", "list", True, None),
        "kind": FlowInput("kind", "string", True, "a"),
        "other": FlowInput("other", None, True, 1),
        "bad": FlowInput("bad", None, True, None),
        "only": FlowInput("only", "object", True, {"a": [1]}),
        "needed": FlowInput("needed", "object"),
    }
    assert constructor_of(flow) is None
    signature = entry_signature(flow)
    assert signature is not None
    assert signature.line == 7
    assert make_variations(flow.variants, "all", {}, flow.own_values)[0].name == "default"


def test_declared_inputs_go_over_those_of_the_function(tmp_path: Path) -> None:
    declared = """inputs:
  question: {type: string, default: Hello}
  history: {type: list, default: ''}
  more:
outputs: {answer: {type: string}}
"""
    source = "def Chat(question, history, limit=3): ...\n"
    flow = load(tmp_path, source, more=declared)
    assert flow.inputs == {
        "question": FlowInput("question", "string", True, "Hello"),
        "history": FlowInput("history", "list"),
        "limit": FlowInput("limit", None, True, 3),
        "more": FlowInput("more"),
    }
    assert flow.outputs == ("answer",)


CLASS = """
class Base:
    def __init__(self, model_config: "AzureOpenAIModelConfiguration", search: CognitiveSearchConnection, policy="long"):
        pass


class Chat(Base):
    def __call__(self, question: str, **more): ...

    def __aggregate__(self, lines): ...
"""


def test_a_class_with_an_inherited_constructor(tmp_path: Path) -> None:
    init = '{"model_config": {"connection": "aoai", "azure_deployment": "gpt"}, "search": "index", "policy": "brief"}'
    flow = load(tmp_path, CLASS, init_json=init)
    assert (list(flow.inputs), flow.any_input, flow.aggregates) == (["question"], True, True)
    constructor = constructor_of(flow)
    assert constructor is not None
    assert list(constructor.inputs) == ["model_config", "search", "policy"]
    made = make_variations(flow.variants, "all", {"init": {"policy": ["long", "brief"]}}, flow.own_values)
    assert [each.name for each in made] == ["default", "init.policy=long"]
    program = resolve(flow, made[1])
    assert program.init["policy"] == "long"
    assert program.aggregates
    assert model_calls(program) == [ModelCall("model_config", "aoai", "gpt")]
    assert list(connections_used(program.init, constructor)) == [("model_config", "aoai"), ("search", "index")]
    assert list(connections_used({"search": "index"}, None)) == []


def test_unknown_arguments_and_owners(tmp_path: Path) -> None:
    flow = load(tmp_path, CLASS)
    for values, expected in (
        ({"init": {"polcy": 1}}, "takes no argument `polcy`. Did you mean `policy`?"),
        ({"init": {"zz": 1}}, "takes no argument `zz`. It takes model_config, search, policy."),
        ({"model": {"temperature": 1}}, "stand under `init`, not `model`"),
    ):
        with pytest.raises(ExperimentError) as raised:
            resolve(flow, Variation("x", {}, values))
        assert expected in str(raised.value)
    plain = load(tmp_path / "b", "def Chat(a): ...")
    with pytest.raises(ExperimentError, match="It takes none"):
        resolve(plain, Variation("x", {}, {"init": {"a": 1}}))


@pytest.mark.parametrize(
    "source",
    [
        "from package import Base\nclass Chat(Base): ...",
        "import package\nclass Chat(package.Base):\n    def __call__(self, **a): ...",
        "from package import Chat",
        "import package as Chat",
        "Chat = make()",
        "try:\n    from package import Chat\nexcept ImportError:\n    Chat = None",
        "@dataclass\nclass Chat:\n    a: int\n    def __call__(self, **b): ...",
    ],
)
def test_what_is_only_known_when_it_is_imported(tmp_path: Path, source: str) -> None:
    flow = load(tmp_path, source, init_json='{"anything": 1}')
    assert flow.any_input
    assert resolve(flow, Variation("x", {}, {"init": {"more": 2}})).init == {"anything": 1, "more": 2}


def test_bases_that_are_known_to_hold_nothing(tmp_path: Path) -> None:
    source = "from abc import ABC\nclass Chat(ABC, object):\n    def __call__(self, a): ...\n"
    assert constructor_of(load(tmp_path, source)) is None
    assert "has no `__call__`" in refused(tmp_path / "b", "class Chat(object): ...\n")


def test_bases_in_a_circle(tmp_path: Path) -> None:
    assert "has no `__call__`" in refused(tmp_path, "class Chat(Other): ...\nclass Other(Chat): ...\n")


def test_the_last_definition_counts_wherever_it_stands(tmp_path: Path) -> None:
    source = "def Chat(a): ...\nif True:\n    x = 1\n    def Chat(b): ...\n"
    assert list(load(tmp_path, source).inputs) == ["b"]


def test_modules_in_folders_and_packages(tmp_path: Path) -> None:
    flow = load(tmp_path, "", "deep.er:f", **{"deep/er.py": "def f(a): ...\n"})
    assert list(flow.inputs) == ["a"]
    flow = load(tmp_path / "b", "", "pack:f", **{"pack/__init__.py": "def f(b): ...\n"})
    assert list(flow.inputs) == ["b"]
    assert load(tmp_path / "c", "", "json.tool:main").any_input


def test_a_module_that_python_itself_stumbles_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(name: str) -> None:
        raise ValueError(f"{name}.__spec__ is None")

    monkeypatch.setattr(importlib.util, "find_spec", stumble)
    assert "The entry's module `__main__` does not exist" in refused(tmp_path, "", "__main__:f")


@pytest.mark.parametrize(
    ("source", "entry", "expected"),
    [
        ("", "chat", "flow.flex.yaml:1:1: A flex flow needs `entry: <module>:<function or class>`."),
        ("", "'chat:'", "needs `entry:"),
        ("", "../chat:f", "needs `entry:"),
        ("", "/etc/chat:f", "needs `entry:"),
        ("", "chat:f.g", "needs `entry:"),
        ("", "[a]", "needs `entry:"),
        ("", "", "needs `entry:"),
        ("", "chta:f", "The entry's module `chta` does not exist"),
        ("", "chat.py:f", "does not exist in"),
        ("def answer(): ...", "chat:anwser", "`anwser` is no function or class of chat.py. Did you mean `answer`?"),
        ("def f():\n    g = 1", "chat:g", "`g` is no function or class of chat.py."),
        ("class Chat:\n    pass", "chat:Chat", "chat.py:1: The class of the entry `chat:Chat` has no `__call__`"),
        ("def f(a, /): ...", "chat:f", "chat.py:1: `a` is positional-only, but inputs are passed by name."),
        ("def f(:", "chat:f", "chat.py:1:7: Not valid Python"),
    ],
)
def test_entries_that_are_none(tmp_path: Path, source: str, entry: str, expected: str) -> None:
    assert expected in refused(tmp_path, source, entry)


def test_a_positional_only_parameter_with_a_default_is_none_of_our_business(tmp_path: Path) -> None:
    assert load(tmp_path, "def Chat(a=1, /, b=2): ...").any_input is False


def test_no_entry(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="needs `entry"):
        load_flow(write(tmp_path, {"flow.flex.yml": "inputs: {}"}))


WITH_INIT = """init:
  policy: {type: string, default: long}
  empty: {type: string, default: ''}
  needed: {type: int}
  strange: 3
sample:
  init: {policy: sampled, size: 1}
"""


def test_arguments_of_the_flow_file_and_of_the_sample(tmp_path: Path) -> None:
    assert load(tmp_path, "def Chat(): ...", more=WITH_INIT).init == {"policy": "sampled", "size": 1}


def test_init_json_takes_the_place_of_the_sample(tmp_path: Path) -> None:
    flow = load(tmp_path, "def Chat(): ...", more=WITH_INIT, init_json='\ufeff{"size": 2}')
    assert flow.init == {"policy": "long", "size": 2}
    assert flow.init_file is not None
    assert flow.init_file.file.name == "init.json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a" 1}', "init.json:1:6: Not valid JSON"),
        ("[1]", "init.json:1: It must hold an object"),
        ("[" * 100_000, "init.json: Not valid JSON"),
    ],
)
def test_init_json_that_is_none(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(tmp_path, "def Chat(): ...", init_json=text)


@pytest.mark.parametrize("section", ["inputs", "init", "sample"])
def test_sections_of_another_shape(tmp_path: Path, section: str) -> None:
    message = refused(tmp_path, "def Chat(): ...", more=f"{section}: [1]\n")
    assert message == f"flow.flex.yaml:2:1: `{section}` must hold names and values."


def test_a_sample_without_an_init(tmp_path: Path) -> None:
    assert load(tmp_path, "def Chat(): ...", more="sample: {init: 3}\noutputs: [1]\n").init == {}
