"""Classification by the labels that a prompt lists: the answer is one of them, chosen by words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmops_actions.platforms.local.offline_model.rules import common_labels
from llmops_actions.platforms.local.offline_model.rules.answer_form import in_form
from llmops_actions.platforms.local.offline_model.rules.cases import Case, Shown, read_case
from llmops_actions.platforms.local.offline_model.rules.chance import slips
from llmops_actions.platforms.local.offline_model.rules.label_lists import Listed, Listing, Search, find_listing
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt, Task, task_of
from llmops_actions.platforms.local.offline_model.rules.text import content_stems, stem
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message

_OWN_WORD, _DESCRIBED, _COMMON, _SHARED, _MOST_SHARED = 1.1, 0.9, 1.0, 0.7, 4
_SAME_TEXT = 5.0
_ASKS, _ASKS_AT_ONCE = 0.6, 0.3
_CLOSE = 0.6
_HEAD = 1_500
_ASKING = (
    "how ",
    "what ",
    "where ",
    "when ",
    "which ",
    "who ",
    "why ",
    "can ",
    "could ",
    "is ",
    "do ",
    "does ",
    "are ",
)
_YES, _NO = ("yes", "true", "y"), ("no", "false", "n")
_QUESTION_SHARE = 0.3
_YES_NO_NOISE = frozenset(
    map(
        stem,
        [
            "answer",
            "reply",
            "respond",
            "question",
            "text",
            "message",
            "yes",
            "no",
            "true",
            "false",
            "word",
            "one",
            "email",
            "review",
            "user",
            "customer",
            "contain",
            "contains",
            "mention",
            "mentions",
            "following",
            "whether",
            "say",
            "says",
            "talk",
            "about",
            "ask",
            "asks",
            "output",
            "return",
            "only",
            "determine",
            "statement",
            "decide",
            "tell",
            "passage",
            "article",
            "sentence",
            "classify",
        ],
    )
)


def answer(prompt: Prompt, request: ChatRequest) -> str | None:
    """The label of the case in the form that the prompt asks for, or None if the prompt lists no labels.

    Labels that are numbers are a scale, which is for grading.
    """
    system = "\n".join(message.content for message in request.messages if message.role in ("system", "developer"))
    turns = [message for message in request.messages if message.role not in ("system", "developer")]
    found = _listing(prompt, system, turns)
    if found is None:
        return None
    listing, in_body = found
    names = tuple(label.name for label in listing.labels)
    if all(name.isdigit() for name in names):
        return None
    head = system if in_body else f"{system[: listing.start]}\n\n{system[listing.end :]}"
    case = read_case(head, turns, (listing.start, listing.end) if in_body else None, names)
    scores = _yes_or_no(names, case, _question(system, turns, in_body, case)) or _scores(listing.labels, case)
    return in_form(prompt, listing.labels, _chosen(request, names, scores, case))


def _listing(prompt: Prompt, system: str, turns: Sequence[Message]) -> tuple[Listing, bool] | None:
    """The labels and whether the last message lists them; None for a prompt whose lists are no labels."""
    loose = prompt.task is Task.CLASSIFY
    if prompt.task in (Task.SUMMARISE, Task.MATHEMATICS, Task.EXTRACT) or (loose and prompt.field("url")):
        return None
    search = Search.LOOSE if loose else Search.STRICT if prompt.task is Task.SUPPORT else Search.MEDIUM
    listing = find_listing(system if loose else system[:_HEAD], search)
    if listing:
        return listing, False
    body = turns[-1].content if turns and turns[-1].role == "user" else ""
    if system and task_of(system) not in (Task.CLASSIFY, Task.OTHER):
        return None
    listing = find_listing(body, search if task_of(body) is Task.CLASSIFY or not loose else Search.MEDIUM)
    return (listing, True) if listing else None


def _scores(labels: Sequence[Listed], case: Case) -> dict[str, float]:
    """How much speaks for each label."""
    text, negated = common_labels.without_negated(case.text)
    stems = frozenset(content_stems(case.text))
    denied = frozenset(content_stems(negated))
    names = tuple(label.name for label in labels)
    shared = _from_examples(case.examples, stems, text)
    return {
        label.name: _score(label, names, stems, denied) + shared.get(label.name, 0.0) + _asking(label.name, text)
        for label in labels
    }


def _score(label: Listed, names: tuple[str, ...], stems: frozenset[str], denied: frozenset[str]) -> float:
    if common_labels.is_complement(label.name, names):
        return _DESCRIBED * len(frozenset(content_stems(label.description)) & stems)
    speaking = common_labels.speaking_for(label.name)
    opposite = common_labels.speaking_for(common_labels.OPPOSITES.get(label.name.lower(), ""))
    own = common_labels.label_stems(label.name)
    described = frozenset(content_stems(label.description)) - own
    kept = stems - denied if opposite else stems
    common = (speaking & kept) - own - described
    return (
        _OWN_WORD * len(own & kept)
        + _DESCRIBED * len(described & stems)
        + _COMMON * len(common)
        + (_COMMON * len(opposite & denied))
    )


def _asking(name: str, text: str) -> float:
    """What the form of a question says for a label such as "question"."""
    if not common_labels.label_stems(name) & {"question", "inquiry", "enquiry", "how"}:
        return 0.0
    return _ASKS * ("?" in text) + _ASKS_AT_ONCE * text.lstrip().startswith(_ASKING)


def _from_examples(examples: Sequence[Shown], stems: frozenset[str], text: str) -> Mapping[str, float]:
    """For each label what its nearest example shares with the case."""
    nearest: dict[str, float] = {}
    for example in examples:
        shared = _SHARED * min(_MOST_SHARED, len(stems.intersection(content_stems(example.text))))
        points = _SAME_TEXT if example.text.strip().lower() == text.strip() else shared
        nearest[example.label] = max(points, nearest.get(example.label, 0.0))
    return nearest


def _question(system: str, turns: Sequence[Message], in_body: bool, case: Case) -> str:
    """The instructions without the case: what a yes/no prompt asks about it."""
    body = turns[-1].content if turns and in_body else ""
    return f"{system}\n{body.replace(case.text, ' ') if case.text != body else body}"


def _yes_or_no(names: tuple[str, ...], case: Case, question: str) -> dict[str, float] | None:
    """Yes if the case has the words that the question asks for; None if the labels are no yes and no.

    Examples decide before the words of the question do.
    """
    yes = next((name for name in names if name.lower() in _YES), None)
    no = next((name for name in names if name.lower() in _NO), None)
    if yes is None or no is None:
        return None
    stems = frozenset(content_stems(case.text))
    asked = frozenset(content_stems(question)) - _YES_NO_NOISE
    scores = {**dict.fromkeys(names, 0.0), **_from_examples(case.examples, stems, case.text.lower())}
    speaking = frozenset().union(*(common_labels.speaking_for(word) for word in asked))
    denied = frozenset(content_stems(common_labels.without_negated(case.text)[1]))
    share = len(asked & (stems - denied)) / len(asked) if asked else 0.0
    points = 2.0 if share >= _QUESTION_SHARE or speaking & (stems - denied) else 0.0
    scores[yes] += points
    scores[no] += 0.0 if points or not asked or not stems else 1.0
    return scores


def _chosen(request: ChatRequest, names: Sequence[str], scores: Mapping[str, float], case: Case) -> str:
    """The label with the highest score; where nothing speaks for any, a catch-all or the first."""
    ranked = sorted(names, key=lambda name: -scores.get(name, 0.0))
    if scores[ranked[0]] <= 0:
        fallback = [
            name
            for name in names
            if common_labels.is_catch_all(name) or common_labels.is_complement(name, tuple(names))
        ]
        return fallback[0] if fallback else names[0]
    margin = scores[ranked[0]] - scores[ranked[1]]
    if scores[ranked[1]] > 0 and margin < _CLOSE and slips(request, "label", case.text):
        return ranked[1]
    return ranked[0]
