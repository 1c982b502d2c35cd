"""What model calls cost: a price table and the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelPrice:
    """US dollars for one million tokens, for the prompt and for the completion."""

    prompt: float
    completion: float


@dataclass(frozen=True)
class PriceTable:
    """Prices by model or deployment name. An unknown model has no cost: ``None``, not zero."""

    models: Mapping[str, ModelPrice] = field(default_factory=dict)

    def cost(self, model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
        """US dollars for that many tokens of ``model``; ``None`` where the table does not know it."""
        price = self.models.get(model)
        if price is None:
            return None
        return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1_000_000

    def total(self, tokens: Mapping[str, tuple[int, int]]) -> float | None:
        """US dollars for ``{model: (prompt tokens, completion tokens)}``; ``None`` where one price is unknown."""
        costs = [self.cost(model, prompt, completion) for model, (prompt, completion) in tokens.items()]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None
