"""The rules for types are prompt flow's own."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from promptflow.contracts.tool import ValueType

from llmops_actions.experiment.validation.types import KNOWN, fits

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()) | st.just({"a": 1})


@settings(deadline=None)
@given(kind=st.sampled_from(["int", "double", "bool", "string", "list", "object"]), value=VALUES)
def test_types_agree_with_prompt_flow_itself(kind: str, value: object) -> None:
    try:
        ValueType(kind).parse(value)
        accepted = True
    except (ArithmeticError, TypeError, ValueError):
        accepted = False
    assert fits(kind, value) is accepted


def test_every_type_is_known() -> None:
    assert set(KNOWN) == {kind.value for kind in ValueType}
