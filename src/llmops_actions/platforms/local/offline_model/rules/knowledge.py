"""General knowledge: what kinds of pages are commonly called, and the words and addresses that give them away."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmops_actions.platforms.local.offline_model.rules.text import stem


@dataclass(frozen=True)
class Concept:
    """A kind of text or page.

    `aliases` are the words by which a label is recognised as this concept, `names` what a model calls it when nobody
    gave it a list, `strong` and `weak` stems that speak for it, `address` what its URLs look like.
    """

    aliases: frozenset[str]
    names: tuple[str, ...]
    strong: frozenset[str]
    weak: frozenset[str]
    address: re.Pattern[str]


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


def _concept(aliases: str, names: str, strong: str, weak: str, address: str) -> Concept:
    return Concept(
        aliases=_stems(aliases),
        names=tuple(name.strip() for name in names.split(",")),
        strong=_stems(strong),
        weak=_stems(weak),
        address=re.compile(address or r"(?!)", re.IGNORECASE),
    )


CONCEPTS: tuple[Concept, ...] = (
    _concept(
        "app application software",
        "Mobile app, App, Software download",
        "app android ios install widget permissions in-app",
        "download version update phone tablet device sync notification release developer free",
        r"/apps?/|apps?\.|play\.|store/apps|\bid=com\.",
    ),
    _concept(
        "academic paper research scholarly science",
        "Research paper, Academic, Scholarly article",
        "abstract preprint doi citation cite theorem proceedings peer-reviewed co-author",
        "study research method dataset result journal university author hypothesis experiment sample conference "
        "propose",
        r"arxiv|doi\.|/abs/|journal|\.edu/|scholar|proceedings|/paper",
    ),
    _concept(
        "video channel stream clip",
        "Video channel, Video, Streaming page",
        "subscriber video channel playlist livestream episode",
        "watch view upload trailer stream host comments tutorial viewer music",
        r"watch\?|/@|video|/channel/|/c/|tube",
    ),
    _concept(
        "movie film cinema",
        "Movie, Film page, Film",
        "film movie director cast cinema starring",
        "scene screenplay runtime rating trailer plot",
        r"/title/|movie|film|imdb",
    ),
    _concept(
        "profile person biography people",
        "Personal profile, Profile, Biography",
        "profile follower biography resume pronouns portfolio",
        "connections joined experience skills member contact freelance posts pinned repositories endorsements",
        r"/in/|/users?/|/profile|/people/|/members?/|~\w+",
    ),
    _concept(
        "document pdf manual file",
        "PDF document, Document, Manual",
        "pdf appendix pages manual annex whitepaper datasheet",
        "page section table figure form guide document revision edition download print",
        r"\.pdf\b|\.docx?\b|/docs?/|/documents?/|/download/",
    ),
    _concept(
        "news article press journalism",
        "News article, News, Press report",
        "reporter newsroom breaking spokesperson correspondent headline",
        "said yesterday tuesday wednesday monday thursday friday announced minister police council officials mayor "
        "told",
        r"/news/|news\.|/20\d\d/\d\d/|daily|herald|gazette|tribune|/world/|/politics/",
    ),
    _concept(
        "shopping shop product commerce store retail",
        "Product page, Online shop, Shopping",
        "cart basket checkout shipping discount warranty",
        "price buy stock delivery size colour color returns order sale sold reviews rating offer customers",
        r"/product|/shop|/cart|/item|/dp/|store\.|shop\.|/p/",
    ),
    _concept(
        "positive",
        "Positive",
        "excellent love great wonderful perfect amazing happy",
        "good nice recommend pleased fast friendly",
        "",
    ),
    _concept(
        "negative",
        "Negative",
        "terrible awful hate broken worst refund disappointing",
        "bad poor slow late rude problem never",
        "",
    ),
)

NOTHING = frozenset({"none", "other", "others", "unknown", "neutral", "misc", "miscellaneous"})
"""Labels for what fits none of the others, as written in lower case."""

UNNAMED = ("Website", "Home page", "Other")
"""What a model calls a page of no kind when nobody gave it a list."""


def concept_of(label: str) -> Concept | None:
    """The concept that a label names, if it is one of the known ones."""
    parts = {stem(word) for word in re.findall(r"[a-z]+", label.lower())}
    return next((concept for concept in CONCEPTS if concept.aliases & parts), None)
