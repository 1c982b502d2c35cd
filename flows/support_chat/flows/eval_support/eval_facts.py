"""Scores whether the answer says what it has to say."""


def eval_facts(answer: str, facts: list) -> float:
    """The share of the facts that the answer holds, 0 to 1.

    A fact is a piece of text; "a|b" is there if one of its wordings is. Upper and lower case count as the same. A row
    without facts scores 1.
    """
    text = " ".join(answer.lower().split())
    found = [any(wording.strip().lower() in text for wording in fact.split("|")) for fact in facts]
    return sum(found) / len(found) if found else 1.0
