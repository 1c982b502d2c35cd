"""Support: answers a customer's question with the sentences of the articles in the prompt that fit it best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

from llmops_actions.platforms.local.offline_model.rules.chance import draw, slips
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt
from llmops_actions.platforms.local.offline_model.rules.text import content_stems, sentences
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_HEADING = re.compile(r"^#{2,4} +(.+)$", re.MULTILINE)
_BRIEF = r"\bone (?:short )?sentence|\bbrief|\bas short as"
_COMPLETE = r"\bcomplete\b|every condition|all (?:the )?(?:steps|conditions|details)|\bin full\b"
_POLITE = r"\bpolite|\bfriendly|\bcourteous|\bkind(?:ly)?\b"
_ADMITS = r"\bnot (?:say|cover|know|there|in the)|\bdo not (?:make|invent|guess)"
_HISTORY_WEIGHT, _TITLE_WEIGHT, _LEAST_FIT = 0.45, 1.3, 0.75
_LONGEST_ARTICLES = 30_000
_BRIEF_FORGETS_MANNERS, _FORGETS_MANNERS = 0.45, 0.08


@dataclass(frozen=True)
class _Article:
    title: frozenset[str]
    stems: frozenset[str]
    sentences: tuple[tuple[str, frozenset[str]], ...]


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """An answer out of the prompt's articles, as long and as polite as the prompt asks."""
    question = prompt.case("question", "query", "text")
    before = " ".join(message.content for message in prompt.history[-4:])
    articles = _articles(prompt)
    weights = _weights(question, before, articles)
    ranked = sorted(articles, key=lambda article: -_fit(article, weights))
    unsure = not ranked or _fit(ranked[0], weights) < _LEAST_FIT
    if unsure and (not ranked or prompt.says(_ADMITS)):
        return "I am sorry, the help centre does not cover this. A colleague will get back to you."
    if len(ranked) > 1 and slips(request, "article", question):
        ranked = ranked[1:]
    return _courtesy(prompt, question, " ".join(_chosen(prompt, ranked[0], weights)))


def _articles(prompt: Prompt) -> list[_Article]:
    text = prompt.field("context", "facts") or prompt.instructions
    text = text[:_LONGEST_ARTICLES]
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    parts = [(one[1], text[one.end() : end]) for one, end in zip(headings, ends, strict=False)]
    if not parts and prompt.field("context", "facts"):
        parts = [("", text)]
    return [_article(title, body) for title, body in parts if body.strip()]


@lru_cache(maxsize=512)
def _article(title: str, body: str) -> _Article:
    found = tuple((one, frozenset(content_stems(one))) for one in sentences(body))
    return _Article(frozenset(content_stems(title)), frozenset().union(*(stems for _, stems in found)), found)


def _weights(question: str, before: str, articles: Sequence[_Article]) -> dict[str, float]:
    """What each word of the question tells: more if few articles have it, less if it was only said earlier."""
    asked, said = set(content_stems(question)), set(content_stems(before))
    weights = {}
    for stem in asked | said:
        having = sum(stem in article.stems or stem in article.title for article in articles)
        if having:
            weights[stem] = (
                log(1 + len(articles) / having) / log(1 + len(articles)) * (1.0 if stem in asked else _HISTORY_WEIGHT)
            )
    return weights


def _fit(article: _Article, weights: dict[str, float]) -> float:
    in_text = sum(weight for stem, weight in weights.items() if stem in article.stems)
    return in_text + _TITLE_WEIGHT * sum(weight for stem, weight in weights.items() if stem in article.title)


def _chosen(prompt: Prompt, article: _Article, weights: dict[str, float]) -> list[str]:
    """The sentences that fit best, in the order of the article."""
    count = 1 if prompt.says(_BRIEF) else len(article.sentences) if prompt.says(_COMPLETE) else 2
    scores = [sum(weights.get(stem, 0.0) for stem in stems) for _, stems in article.sentences]
    ranked = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:count]
    return [article.sentences[place][0] for place in sorted(ranked)]


def _courtesy(prompt: Prompt, question: str, text: str) -> str:
    if not prompt.says(_POLITE):
        return text
    brief = prompt.says(_BRIEF)
    if draw("courtesy", question) < (_BRIEF_FORGETS_MANNERS if brief else _FORGETS_MANNERS):
        return text
    if brief:
        return f"Thank you for asking. {text}"
    return f"Thank you for your question. {text} Please let us know if we can help with anything else."
