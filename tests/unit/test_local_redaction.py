"""Secrets stay out of texts, outputs and streams, and plain words stay in."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.platforms.local.redaction import Redactor, redactor_of
from llmops_actions.platforms.ports import Connection

KEY = "sk-12345678"
QUOTED = 'pass"word\\9'


def test_texts() -> None:
    redactor = Redactor([KEY, f"{KEY}-longer", QUOTED, "short", "offline"])
    assert redactor.text(f"no {KEY}-longer, no {KEY}") == "no ***, no ***"
    assert redactor.text(f"as it is {QUOTED}, in JSON {json.dumps(QUOTED)}") == 'as it is ***, in JSON "***"'
    assert redactor.text("a short offline text") == "a short offline text"


def test_outputs() -> None:
    redactor = Redactor([KEY, QUOTED, "category", "production line 9", "https://store.example/9/path"])
    outputs = {"a": [f"key {KEY}", 1, None, True, 2.5], "b": {KEY: QUOTED}, "category": "production line 9"}
    assert redactor.is_in(json.dumps(outputs).encode())
    assert redactor.is_in(json.dumps({"x": QUOTED}).encode())
    assert redactor.value(outputs) == {
        "a": ["key ***", 1, None, True, 2.5],
        "b": {"***": "***"},
        "category": "production line 9",
    }
    assert not redactor.is_in(b'{"a": "category https://store.example/9/path"}')
    assert Redactor(["-----BEGIN " + 60 * "x "]).is_in(b"-----BEGIN " + 60 * b"x ")


def test_what_is_known_to_be_secret() -> None:
    connection = Connection("model", "OpenAIConnection", {"base_url": "https://x.example"}, {"api_key": KEY})
    redactor = redactor_of({"model": connection}, {"SEARCH_TOKEN": "token-0001", "HOME": "/home/someone1"})
    assert (
        redactor.text(f"{KEY} token-0001 /home/someone1 https://x.example")
        == "*** *** /home/someone1 https://x.example"
    )


@given(st.lists(st.sampled_from(["sk-", "12345678", "sk", "s", "\n", "-", KEY, "text "])), st.data())
def test_a_stream_in_any_pieces(words: list[str], data: st.DataObject) -> None:
    text = "".join(words).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    stream = Redactor([KEY]).stream()
    written = b"".join(stream.feed(text[start:end]) for start, end in itertools.pairwise(cuts))
    written += stream.feed(b"\n")
    assert written == text.replace(KEY.encode(), b"***") + b"\n"


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_secret_of_several_lines(end: str) -> None:
    secret = "line 1\nline 2\nline 3"
    stream = Redactor([secret]).stream()
    assert (
        b"".join([stream.feed(b"see line 1\n"), stream.feed(f"line 2\nline 3{end}".encode())])
        == f"see ***{end}".encode()
    )
