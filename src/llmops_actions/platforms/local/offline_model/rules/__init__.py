"""The rules by which the stand-in model answers: they read the prompt alone; the same prompt gets the same answer."""

from __future__ import annotations

from collections.abc import Callable

from llmops_actions.platforms.local.offline_model.rules import (
    classify,
    extract,
    grade,
    mathematics,
    own_labels,
    summarise,
    support,
)
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt, Task, parse
from llmops_actions.platforms.local.offline_model.rules.text import clip
from llmops_actions.platforms.local.offline_model.types import ChatRequest

__all__ = ["answer"]

_ECHOED_WORDS = 40


def answer(request: ChatRequest) -> str:
    """The text that the stand-in model answers; never empty. It is not cut to `max_tokens`: the server does that."""
    prompt = parse(request)
    own = own_labels.answer(prompt, request)
    return own or _RULES[prompt.task](prompt, request).strip() or _echo(prompt, request)


def _echo(prompt: Prompt, request: ChatRequest) -> str:
    said = clip(prompt.body or prompt.instructions, _ECHOED_WORDS).strip()
    return f"This is the offline stand-in model, not {request.model}: it has no rule for this prompt. You said: {said}"


_RULES: dict[Task, Callable[[Prompt, ChatRequest], str]] = {
    Task.CLASSIFY: classify.answer,
    Task.SUMMARISE: summarise.answer,
    Task.EXTRACT: extract.answer,
    Task.MATHEMATICS: mathematics.answer,
    Task.SUPPORT: support.answer,
    Task.GRADE: grade.answer,
    Task.OTHER: _echo,
}
