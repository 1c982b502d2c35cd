"""The help centre: reads its articles and ranks them by the words that they share with a question."""

import re
from dataclasses import dataclass
from math import log
from pathlib import Path

WORD = re.compile(r"[^\W\d_]{3,}")
EARLIER_WEIGHT = 0.5
TITLE_WEIGHT = 2.0


@dataclass(frozen=True)
class Article:
    """One article of the help centre."""

    title: str
    text: str


def read_articles(file: Path) -> list[Article]:
    """The articles of a Markdown file: a heading of the second level, then the text."""
    parts = re.split(r"^## +", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    pairs = (part.partition("\n") for part in parts)
    return [Article(title.strip(), text.strip()) for title, _, text in pairs]


def best_articles(articles: list[Article], question: str, conversation: str, most: int) -> list[Article]:
    """The articles that share the rarest words with the question, and with half the weight with the conversation."""
    words = [_words(article.text) for article in articles]
    titles = [_words(article.title) for article in articles]
    asked, said = _words(question), _words(conversation)

    def weight(word: str) -> float:
        having = sum(word in known for known in words) or 1
        return log(1 + len(articles) / having) * (1.0 if word in asked else EARLIER_WEIGHT)

    def score(place: int) -> float:
        in_text = sum(weight(word) for word in said & words[place])
        return in_text + TITLE_WEIGHT * sum(weight(word) for word in said & titles[place])

    ranked = sorted(range(len(articles)), key=lambda place: (-score(place), place))
    return [articles[place] for place in ranked[:most]]


def _words(text: str) -> set[str]:
    return {word.lower()[:6] for word in WORD.findall(text)}
