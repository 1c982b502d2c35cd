"""Support chat: finds the articles that may help, fits them into the model's window, and asks the model."""

from pathlib import Path

from articles import Article, best_articles, read_articles
from promptflow.core import AzureOpenAIModelConfiguration, Prompty

FOLDER = Path(__file__).resolve().parent
STYLES = {
    "brief": "Answer in one short sentence.",
    "plain": "",
    "complete": "Give a complete answer with all conditions, deadlines and costs.",
}
ROLES = ("user", "assistant")
MOST_ARTICLES = 4
PROMPT_TOKENS = 150
ANSWER_TOKENS = 300
CHARACTERS_PER_TOKEN = 4


class SupportChat:
    """Answers questions of customers from the help centre.

    `policy` is how to answer: "brief", "plain" or "complete". `max_total_token` bounds prompt and answer together; the
    oldest turns of the conversation go first, then the articles that fit least. Raises ValueError for another policy.
    """

    def __init__(
        self, model_config: AzureOpenAIModelConfiguration, max_total_token: int = 4096, policy: str = "plain"
    ) -> None:
        if policy not in STYLES:
            raise ValueError(f"policy {policy!r} is not one of: {', '.join(STYLES)}")
        self.style = STYLES[policy]
        self.tokens = max_total_token - PROMPT_TOKENS - ANSWER_TOKENS
        self.articles = read_articles(FOLDER / "help_center.md")
        self.prompty = Prompty.load(source=FOLDER / "chat.prompty", model={"configuration": model_config})

    def __call__(self, question: str, chat_history: list | None = None) -> str:
        """The answer to a question; `chat_history` holds earlier turns, each with a role and a content."""
        history = turns(chat_history)
        asked = " ".join([*(turn["content"] for turn in history[-2:]), question])
        found = best_articles(self.articles, question, asked, MOST_ARTICLES)
        history, found = fit(question, history, found, self.tokens)
        articles = [{"title": article.title, "text": article.text} for article in found]
        return self.prompty(question=question, chat_history=history, articles=articles, style=self.style)


def turns(chat_history: list | None) -> list:
    """The turns that have a known role and a text; anything else in the history is left out."""
    return [
        {"role": turn["role"], "content": turn["content"]}
        for turn in chat_history or []
        if isinstance(turn, dict) and turn.get("role") in ROLES and isinstance(turn.get("content"), str)
    ]


def fit(question: str, history: list, articles: list[Article], tokens: int) -> tuple:
    """The newest part of the history and the best articles that fit into a number of tokens.

    A token counts as four characters. One article stays in any case.
    """
    history, articles = list(history), list(articles)
    while _length(question, history, articles) > tokens * CHARACTERS_PER_TOKEN:
        if history:
            history.pop(0)
        elif len(articles) > 1:
            articles.pop()
        else:
            break
    return history, articles


def _length(question: str, history: list, articles: list[Article]) -> int:
    said = sum(len(turn["content"]) for turn in history)
    return len(question) + said + sum(len(article.title) + len(article.text) for article in articles)
