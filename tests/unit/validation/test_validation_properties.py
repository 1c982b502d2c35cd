"""Whatever a flow's file holds, checking it gives findings and never fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_actions.experiment.validation.dag import check
from llmops_actions.experiment.validation.references import holds_reference, parse_reference
from llmops_actions.experiment.validation.templates import parse_template
from llmops_actions.experiment.yaml_source import Document

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
REFERENCES = st.sampled_from(
    ["${inputs.a}", "${a.output}", "${b.output.c}", "${}", "${.}", "$", "${a", "x ${a.output}"]
)
ANYTHING = st.recursive(
    SCALARS | REFERENCES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["a", "b", "c"])


def mapping(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, values, max_size=3) | ANYTHING


NODE = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES | ANYTHING,
        "type": st.sampled_from(["python", "llm", "prompt", "custom_llm"]) | ANYTHING,
        "source": st.fixed_dictionaries({}, optional={"type": ANYTHING, "path": ANYTHING, "tool": ANYTHING}) | ANYTHING,
        "inputs": mapping(REFERENCES),
        "activate": st.fixed_dictionaries({"when": REFERENCES, "is": SCALARS}) | ANYTHING,
        "use_variants": st.booleans(),
        "aggregation": st.booleans(),
        "connection": ANYTHING,
        "api": ANYTHING,
    },
)
VARIANTS = st.fixed_dictionaries(
    {},
    optional={"default_variant_id": NAMES | ANYTHING, "variants": mapping(st.fixed_dictionaries({"node": NODE}))},
)
FLOW = st.fixed_dictionaries(
    {},
    optional={
        "inputs": mapping(ANYTHING),
        "outputs": mapping(st.fixed_dictionaries({"reference": REFERENCES})),
        "nodes": st.lists(NODE | ANYTHING, max_size=4) | ANYTHING,
        "node_variants": mapping(VARIANTS),
    },
)


@settings(deadline=None)
@given(value=FLOW)
def test_a_dag_of_any_shape_can_be_checked(value: dict[str, Any]) -> None:
    for finding in check(Document(Path(__file__), value), (), {}, Path(__file__).parent):
        assert finding.message
        assert finding.location is not None


@given(value=ANYTHING)
def test_a_value_is_a_reference_or_holds_one_or_neither(value: Any) -> None:
    assert not (parse_reference(value) is not None and holds_reference(value))


@given(text=st.text())
def test_a_template_parses_or_says_where_it_does_not(text: str) -> None:
    template, problems = parse_template(text, Path("x.jinja2"), 10)
    assert (template is None) == bool(problems)
    assert all(problem.location is not None and (problem.location.line or 0) >= 10 for problem in problems)
