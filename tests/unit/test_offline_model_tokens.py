import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.platforms.local.offline_model import tokens

# The second number is what OpenAI's encoding o200k_base makes of the text.
MEASURED = [
    ("The quick brown fox jumps over the lazy dog.", 10),
    ("Hello, world!", 4),
    ('{"category": "App", "evidence": "Both"}', 13),
    ("https://www.example.com/products/42", 8),
    ("def parse(self, text: str) -> list[str]:\n    return text.split()\n", 17),
]


@pytest.mark.parametrize(("text", "real"), MEASURED)
def test_counts_come_near_the_real_ones(text: str, real: int) -> None:
    assert tokens.count(text) == pytest.approx(real, abs=max(2, real * 0.2))


def test_an_empty_text_has_no_tokens() -> None:
    assert tokens.count("") == 0
    assert tokens.cut("", 1) == ""


@given(st.text())
def test_the_tokens_of_a_text_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text)) == text
    assert len(tokens.split(text)) == tokens.count(text)


@given(st.text(), st.integers(min_value=1, max_value=20))
def test_a_cut_text_is_a_beginning_that_keeps_the_limit(text: str, limit: int) -> None:
    kept = tokens.cut(text, limit)
    assert text.startswith(kept)
    assert tokens.count(kept) == min(limit, tokens.count(text))
