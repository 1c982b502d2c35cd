"""General knowledge: words that speak for labels which many classifiers have, such as spam, bug or positive."""

from __future__ import annotations

import re
from functools import lru_cache

from llmops_actions.platforms.local.offline_model.rules.text import stem

_WORDS: tuple[tuple[str, str], ...] = (
    (
        "positive good happy praise satisfied joy compliment",
        """excellent love great wonderful perfect amazing happy fantastic awesome brilliant delighted good
        nice recommend pleased fast friendly best enjoy thank helpful superb delicious beautiful""",
    ),
    (
        "negative bad unhappy dissatisfied anger angry complaint",
        """terrible awful hate broken worst disappoint disappointed disappointing horrible useless bad poor
        slow late rude waste annoying unacceptable angry dreadful boring dirty fail failed worse
        complain ruined cold""",
    ),
    (
        "billing payment payments invoice invoices finance financial charge charges",
        """invoice invoices bill billed charge charged charges payment pay paid card price refund
        subscription receipt credit fee bank double money vat tax debit cost""",
    ),
    (
        "refund refunds return returns",
        "refund return returned money back reimburse exchange",
    ),
    (
        "cancel cancellation churn unsubscribe",
        "cancel cancellation unsubscribe terminate stop end close quit",
    ),
    (
        "bug bugs technical tech error errors defect defects incident it engineering",
        """crash crashes crashed crashing error errors broken fail fails failed failing freeze freezes
        frozen exception bug blank screen stuck load loads loading hang hangs wrong glitch outage down
        button page laptop printer password network log login server install""",
    ),
    (
        "feature enhancement request suggestion idea",
        "add feature wish support would suggestion improve option dark mode idea could",
    ),
    (
        "question questions inquiry enquiry information how-to howto help",
        "question wonder wondering know explain tell ask possible where anyone",
    ),
    (
        "account login access security authentication",
        "account login password sign log username access locked email reset profile",
    ),
    (
        "shipping delivery order orders logistics shipment",
        """delivery deliver delivered parcel package ship shipped shipping arrive arrived courier tracking
        order late address""",
    ),
    (
        "sales pricing purchase lead",
        "price pricing quote buy purchase discount demo plan upgrade offer seats licence license",
    ),
    (
        "spam junk phishing scam fraud",
        """win won winner prize free click lottery congratulations viagra offer claim cash urgent bitcoin
        loan credit guaranteed cheap million limited selected verify""",
    ),
    (
        "urgent critical high emergency severe p1 priority immediate",
        """urgent urgently immediately asap emergency critical down outage now deadline production blocked
        cannot everyone severe fire breach leak lost""",
    ),
    (
        "low minor trivial p3 p4",
        "whenever minor typo cosmetic small nice sometime eventually hurry suggestion",
    ),
    (
        "toxic offensive hate abusive abuse harassment unsafe harmful",
        "idiot stupid hate moron shut kill dumb ugly loser trash disgusting",
    ),
    (
        "sports sport",
        """team match goal league player coach season championship game cup tournament won football tennis
        scored""",
    ),
    (
        "politics political government",
        "election minister parliament president vote government senate party law policy mayor",
    ),
    (
        "technology science computing",
        "software computer phone chip app internet robot data researchers startup device ai scientists",
    ),
    (
        "business economy markets",
        "market shares company profit stock bank revenue economy merger investors trade quarter",
    ),
    (
        "health medical",
        "doctor hospital patient disease health vaccine medicine symptoms treatment pain",
    ),
    (
        "entertainment culture arts music",
        "film movie actor music album concert band show series star theatre festival",
    ),
    (
        "travel",
        "hotel flight trip airport beach travel holiday tourist train visit",
    ),
    (
        "hr people personnel",
        "holiday vacation leave salary payroll contract hire employee onboarding parental sick",
    ),
    (
        "legal contract compliance",
        "contract lawyer court sue law terms privacy gdpr legal clause",
    ),
    (
        "greeting smalltalk",
        "hello hi hey morning evening greetings",
    ),
    (
        "thanks gratitude",
        "thank thanks grateful appreciate",
    ),
    (
        "sad sadness",
        "sad cry cried tears lonely miss grief",
    ),
    (
        "fear afraid",
        "afraid scared fear terrified worried nervous",
    ),
)

CATCH_ALL = frozenset(
    [
        "none",
        "other",
        "others",
        "unknown",
        "neutral",
        "misc",
        "miscellaneous",
        "general",
        "unclear",
        "unsure",
        "mixed",
        "na",
        "else",
        "ham",
        "normal",
        "medium",
        "anything",
        "neither",
    ]
)
"""Words of labels for what fits none of the others."""

OPPOSITES = {"positive": "negative", "negative": "positive"}
_NEGATED = re.compile(
    r"\b(?:not|never|no|nothing|hardly|isn't|wasn't|don't|didn't|doesn't|won't|can't)\s+(?:\w+\s+){0,2}"
)
_COMPLEMENT = re.compile(r"(?:not?|non|un|in)[ _-]?(?=\w)", re.IGNORECASE)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_KNOWN = tuple((_stems(names), _stems(speaking)) for names, speaking in _WORDS)


@lru_cache(maxsize=1024)
def label_stems(label: str) -> frozenset[str]:
    """The stems of a label's own words, of "how_to" and of "featureRequest" as well."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return frozenset(stem(word) for word in re.findall(r"[^\W_]+", spaced.lower()))


@lru_cache(maxsize=1024)
def speaking_for(label: str) -> frozenset[str]:
    """The stems of words that commonly speak for a label; none for a label that nobody knows."""
    own = label_stems(label)
    return frozenset().union(*(speaking for names, speaking in _KNOWN if names & own))


def is_catch_all(label: str) -> bool:
    """Whether a label is for what fits none of the others, such as "other" or "N/A"."""
    return bool(CATCH_ALL & label_stems(label)) or label.lower() in ("n/a", "n.a.")


def is_complement(label: str, others: tuple[str, ...]) -> bool:
    """Whether a label only denies another one, as "not spam" and "non-toxic" do."""
    rest = _COMPLEMENT.sub("", label, count=1).lower()
    return rest != label.lower() and any(rest == other.lower() for other in others)


def without_negated(text: str) -> tuple[str, str]:
    """The text without the few words after a "not", and these words."""
    lowered = text.lower().replace("\u2019", "'")
    negated = " ".join(lowered[found.end() :][:24].split(" ")[0] for found in _NEGATED.finditer(lowered))
    return lowered, negated
