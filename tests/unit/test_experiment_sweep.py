"""Sweeps: every combination, in a stable order, with stable and unique names; the first one is the default."""

from __future__ import annotations

from typing import Any

import pytest

from llmops_actions.experiment.sweep import (
    MAX_NAME_LENGTH,
    NodeVariants,
    SweepError,
    Variation,
    file_name,
    make_variations,
    select_variations,
)

TWO = {
    "summarize": NodeVariants(("variant_0", "variant_1"), "variant_0"),
    "classify": NodeVariants(("a", "b", "c"), "b"),
}


def names(variations: tuple[Variation, ...]) -> list[str]:
    return [each.name for each in variations]


def test_a_flow_without_choices_has_one_variation() -> None:
    assert make_variations({}) == (Variation("default", {}, {}, is_default=True),)


def test_all_combinations_with_the_default_first() -> None:
    made = make_variations(TWO)
    assert names(made) == [
        "default",
        "classify.a",
        "classify.c",
        "summarize.variant_1",
        "summarize.variant_1+classify.a",
        "summarize.variant_1+classify.c",
    ]
    assert made[0].variants == {"summarize": "variant_0", "classify": "b"}
    assert [each.is_default for each in made] == [True, False, False, False, False, False]


def test_defaults_alone() -> None:
    assert names(make_variations(TWO, "defaults")) == ["default"]
    assert names(make_variations(TWO, [])) == ["default"]


def test_selected_variants() -> None:
    assert names(make_variations(TWO, ["classify.c", "classify.c", "classify.b"])) == ["default", "classify.c"]
    only = make_variations(TWO, ["classify.c"])
    assert names(only) == ["classify.c"]
    assert only[0].is_default
    assert names(make_variations(TWO, ["variant_1"])) == ["summarize.variant_1"]


def test_an_unknown_variant_names_the_nearest() -> None:
    with pytest.raises(SweepError, match=r"no variant `classify\.d`\. Did you mean `classify\.[abc]`"):
        make_variations(TWO, ["classify.d"])
    with pytest.raises(SweepError, match=r"no variant `x`\. Its variants: none"):
        make_variations({}, ["x"])


def test_values_of_a_node() -> None:
    own = {"classify": {"temperature": 0.2}}
    made = make_variations({}, "all", {"classify": {"temperature": [0.0, 0.2, 0.7]}}, own)
    assert names(made) == ["default", "classify.temperature=0.0", "classify.temperature=0.7"]
    assert made[0].hyperparameters == {"classify": {"temperature": 0.2}}


def test_values_without_the_flows_own_keep_their_order() -> None:
    made = make_variations({}, "all", {"classify": {"top_p": [0.9, 0.1]}}, {"classify": {}})
    assert names(made) == ["classify.top_p=0.9", "classify.top_p=0.1"]
    assert made[0].is_default


def test_variants_and_values_together() -> None:
    made = make_variations(TWO, ["a", "b"], {"classify": {"n": [1, 2]}, "summarize": {"m": ["x"]}})
    assert names(made) == [
        "classify.n=1+summarize.m=x",
        "classify.n=2+summarize.m=x",
        "classify.a+classify.n=1+summarize.m=x",
        "classify.a+classify.n=2+summarize.m=x",
    ]


def test_the_same_value_twice_is_one() -> None:
    made = make_variations({}, "all", {"n": {"k": [1, 1.0, 1, {"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}]}})
    assert [each.hyperparameters["n"]["k"] for each in made] == [1, {"a": 1, "b": [2.0]}]


def test_values_of_different_types_are_different() -> None:
    values: list[Any] = [1, "1", True, "true", None, "null"]
    made = make_variations({}, "all", {"n": {"k": values}}, {"n": {"k": "1"}})
    assert [each.hyperparameters["n"]["k"] for each in made] == ["1", 1, True, "true", None, "null"]
    assert len({each.name.lower() for each in made}) == len(values)
    assert made[0].name == "default"


def test_names_that_differ_only_in_case_get_a_hash() -> None:
    first, second = names(make_variations({}, "all", {"n": {"k": ["Formal", "formal"]}}))
    assert first == "n.k=Formal"
    assert second.startswith("n.k=formal-")
    assert names(make_variations({}, "all", {"n": {"k": ["Formal", "formal"]}}))[1] == second


def test_names_that_are_the_same_as_files_get_a_hash() -> None:
    made = names(make_variations({}, "all", {"n": {"k": ["a b", "a/b", "a\tb"]}}))
    assert made[0] == "n.k=a-b"
    assert len(set(made)) == 3


def test_long_names_are_cut_and_stay_unique() -> None:
    made = names(make_variations({}, "all", {"n": {"k": ["x" * 200, "x" * 201, "X" * 200]}}))
    assert len({name.lower() for name in made}) == 3
    assert all(len(name) <= MAX_NAME_LENGTH for name in made)


def test_a_name_that_is_taken_twice_stays_short_enough() -> None:
    text = "x" * (MAX_NAME_LENGTH - len("n.k="))
    made = names(make_variations({}, "all", {"n": {"k": [text, text.upper()]}}))
    assert all(len(name) <= MAX_NAME_LENGTH for name in made)
    assert len({name.lower() for name in made}) == 2


def test_too_many_variations_say_why() -> None:
    with pytest.raises(SweepError, match=r"has 6 variations \(2 x 3\); more than max_variations: 5\."):
        make_variations(TWO, max_variations=5)
    assert len(make_variations(TWO, max_variations=6)) == 6
    huge = {f"n{number}": {"k": list(range(100))} for number in range(50)}
    with pytest.raises(SweepError, match="more than max_variations: 32"):
        make_variations({}, "all", huge, max_variations=32)


def test_no_values() -> None:
    with pytest.raises(SweepError, match=r"`n\.k` has no values"):
        make_variations({}, "all", {"n": {"k": []}})


def test_a_node_that_the_flow_does_not_have() -> None:
    with pytest.raises(SweepError, match=r"`classfy`, which the flow does not have\. Did you mean `classify`"):
        make_variations({}, "all", {"classfy": {"k": [1]}}, {"classify": {}})
    with pytest.raises(SweepError, match="It has none"):
        make_variations({}, "all", {"classfy": {"k": [1]}}, {})


def test_variations_are_selected_by_name_and_pattern() -> None:
    made = make_variations(TWO)
    assert select_variations(made, ()) == made
    assert names(select_variations(made, ["classify.c", "default"])) == ["default", "classify.c"]
    assert names(select_variations(made, ["summarize.*"])) == names(made)[3:]
    assert names(select_variations(made, ["classify.?"])) == ["classify.a", "classify.c"]
    with pytest.raises(SweepError, match=r"No variation is called `nope`\. The variations: `default`"):
        select_variations(made, ["default", "nope"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a b", "a-b"), ("../../etc", "etc"), ("é", "x"), ("", "x"), ("a=0.2", "a=0.2"), ("a:b|c", "a-b-c")],
)
def test_file_names(text: str, expected: str) -> None:
    assert file_name(text) == expected
