import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.platforms.local.offline_model.embeddings import DIMENSIONS, embed, to_base64

REFUND = "I want my money back for the order that never arrived."


def cosine(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed(one), embed(other), strict=True))


@given(st.text(alphabet=st.characters(), min_size=1, max_size=200), st.sampled_from([1, 2, 8, DIMENSIONS]))
def test_every_vector_has_length_one(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1.0)


def test_texts_that_look_alike_come_out_alike() -> None:
    alike = cosine(REFUND, "Please give me my money back: the order never arrived!")
    different = cosine(REFUND, "Photosynthesis turns light into chemical energy.")
    assert alike > 0.5
    assert different < 0.2


def test_letter_case_and_white_space_do_not_matter() -> None:
    assert embed("Refund  my\nORDER ") == embed("refund my order")


def test_base64_holds_little_endian_32_bit_floats() -> None:
    vector = embed(REFUND, 16)
    unpacked = struct.unpack("<16f", base64.b64decode(to_base64(vector)))
    assert unpacked == pytest.approx(vector, rel=1e-6)
