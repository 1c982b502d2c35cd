"""The shortcuts change nothing but the time."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from jinja2.sandbox import SandboxedEnvironment
from openai.resources.chat.completions import completions
from openai.types.chat import completion_create_params

from llmops_actions.platforms.local import shortcuts


@pytest.fixture
def transform(monkeypatch: pytest.MonkeyPatch) -> Any:
    """openai's own function; the replaced one is in its place."""
    original = vars(completions)["maybe_transform"]
    monkeypatch.setattr(completions, "maybe_transform", original)
    monkeypatch.setattr(jinja2.Environment, "compile", jinja2.Environment.compile)
    shortcuts.take_shortcuts()
    shortcuts.take_shortcuts()
    return original


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": [{"type": "text", "text": "b"}]}],
        [{"role": "user", "content": "b", "name": "c"}],
        [{"role": "tool", "content": "b", "tool_call_id": "1"}],
        [],
        ("not", "a list"),
    ],
)
def test_bodies_are_the_same(transform: Any, messages: Any) -> None:
    body = {"model": "m", "messages": messages, "temperature": 0.5, "stop": ["x"], "metadata": {"a": "b"}}
    expected_type = completion_create_params.CompletionCreateParamsNonStreaming
    replaced = vars(completions)["maybe_transform"]
    assert replaced is not transform
    new, old = replaced(body, expected_type), transform(body, expected_type)
    assert new == old
    assert list(new) == list(old)


def test_templates_give_the_same_text(transform: Any) -> None:
    text = "{% if a %}\n  {{ a|upper }}\n{% endif %}\n"
    for _ in range(2):
        assert jinja2.Template(text).render(a="x") == "\n  X\n"
        assert jinja2.Template(text, trim_blocks=True, keep_trailing_newline=True).render(a="x") == "  X\n"
        assert SandboxedEnvironment().from_string(text).render(a="x") == "\n  X\n"
        with pytest.raises(jinja2.exceptions.SecurityError):
            SandboxedEnvironment().from_string("{{ ''.__class__.__mro__ }}").render()
    environment = jinja2.Environment(autoescape=False)  # noqa: S701 - nothing here is HTML
    environment.filters["upper"] = lambda value: "mine"
    assert environment.from_string("{{ 'a'|upper }}").render() == "mine"
    assert jinja2.Template("{{ 'a'|upper }}").render() == "A"


def test_templates_are_kept_within_bounds(transform: Any) -> None:
    for number in range(600):
        assert jinja2.Template(f"{number} {{{{ a }}}}").render(a="x") == f"{number} x"
