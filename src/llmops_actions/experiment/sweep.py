"""Variations: every combination of node variants and hyper-parameter values, in a stable order with stable names."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llmops_actions.experiment.fingerprint import canonical, of_value
from llmops_actions.experiment.parsing import did_you_mean

VariantSelection = Literal["all", "defaults"] | Sequence[str]
Hyperparameters = Mapping[str, Mapping[str, Sequence[Any]]]

DEFAULT_NAME = "default"
MAX_NAME_LENGTH = 100


class SweepError(ValueError):
    """A sweep that cannot be made: a name that does not exist, or more variations than allowed."""


@dataclass(frozen=True)
class NodeVariants:
    """The variants of one node, in the order of the file, and which of them is the default."""

    names: tuple[str, ...]
    default: str


@dataclass(frozen=True)
class Variation:
    """One combination: for each node with variants the chosen one, and the hyper-parameter values that are set.

    ``is_default`` marks the variation that the others are compared with: the first of the sweep.
    """

    name: str
    variants: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_default: bool = False


@dataclass(frozen=True)
class _Choice:
    """One decision of the sweep: its options (label and value); ``own`` is the option that the flow itself has."""

    owner: str
    key: str | None
    options: tuple[Any, ...]
    own: Any

    def label(self, option: Any) -> str:
        return f"{self.owner}.{option}" if self.key is None else f"{self.owner}.{self.key}={_text(option)}"


def make_variations(
    variants: Mapping[str, NodeVariants],
    selection: VariantSelection = "all",
    hyperparameters: Hyperparameters | None = None,
    own_values: Mapping[str, Mapping[str, Any]] | None = None,
    max_variations: int | None = None,
) -> tuple[Variation, ...]:
    """Every combination across all nodes, without duplicates; the first one is the default.

    Nodes and inputs keep the order of the file; a default variant, and a value that the flow itself has
    (``own_values``), come first among the options. A variation is named by what differs from the flow as written,
    ``default`` where nothing does: ``summarize.variant_1+classify.temperature=0.2``.

    Raises:
        SweepError: an unknown node or variant, an empty list of values, or more than ``max_variations``.
    """
    choices = [
        *_variant_choices(variants, selection),
        *_value_choices(hyperparameters or {}, own_values or {}),
    ]
    size = 1
    for choice in choices:
        size *= len(choice.options)
    if max_variations is not None and size > max_variations:
        factors = " x ".join(str(len(choice.options)) for choice in choices if len(choice.options) > 1)
        raise SweepError(
            f"The sweep has {size} variations ({factors}); more than max_variations: {max_variations}. "
            "Name fewer variants or values, or raise max_variations."
        )
    _refuse_unknown_owners(hyperparameters or {}, own_values)
    combinations = itertools.product(*(choice.options for choice in choices))
    return _named([_variation(choices, options, first=number == 0) for number, options in enumerate(combinations)])


def _refuse_unknown_owners(
    hyperparameters: Hyperparameters, own_values: Mapping[str, Mapping[str, Any]] | None
) -> None:
    if own_values is None:
        return
    for owner in hyperparameters:
        if owner not in own_values:
            known = ", ".join(f"`{name}`" for name in own_values) or "none"
            hint = did_you_mean(owner, own_values, f"It has {known}.")
            raise SweepError(f"`hyperparameters` names `{owner}`, which the flow does not have. {hint}")


def _variant_choices(variants: Mapping[str, NodeVariants], selection: VariantSelection) -> list[_Choice]:
    chosen: dict[str, list[str]] = {node: [] for node in variants}
    if selection == "all":
        chosen = {node: list(each.names) for node, each in variants.items()}
    elif selection != "defaults":
        for text in selection:
            for node, variant in _find_variants(text, variants):
                if variant not in chosen[node]:
                    chosen[node].append(variant)
    return [
        _Choice(node, None, tuple(_first(chosen[node] or [each.default], each.default)), each.default)
        for node, each in variants.items()
    ]


def _find_variants(text: str, variants: Mapping[str, NodeVariants]) -> list[tuple[str, str]]:
    """``node.variant``, or the bare name of a variant that some nodes have."""
    found = [(node, name) for node, each in variants.items() for name in each.names if text in (name, f"{node}.{name}")]
    if found:
        return found
    known = [f"{node}.{name}" for node, each in variants.items() for name in each.names]
    hint = f" {did_you_mean(text, known)}".rstrip()
    listing = ", ".join(f"`{name}`" for name in known) or "none"
    raise SweepError(f"The flow has no variant `{text}`.{hint} Its variants: {listing}.")


def _value_choices(hyperparameters: Hyperparameters, own: Mapping[str, Mapping[str, Any]]) -> list[_Choice]:
    choices = []
    for owner, inputs in hyperparameters.items():
        for key, values in inputs.items():
            if not values:
                raise SweepError(f"The hyper-parameter `{owner}.{key}` has no values.")
            own_value = own.get(owner, {}).get(key)
            unique: dict[str, Any] = {}
            for value in values:
                unique.setdefault(_identity(value), value)
            choices.append(_Choice(owner, key, tuple(_first(list(unique.values()), own_value)), own_value))
    return choices


def _first(options: list[Any], own: Any) -> list[Any]:
    return sorted(options, key=lambda option: _identity(option) != _identity(own))


def _variation(choices: Sequence[_Choice], options: Sequence[Any], *, first: bool) -> Variation:
    variants: dict[str, str] = {}
    values: dict[str, dict[str, Any]] = {}
    labels: list[str] = []
    for choice, option in zip(choices, options, strict=True):
        if choice.key is None:
            variants[choice.owner] = option
        else:
            values.setdefault(choice.owner, {})[choice.key] = option
        if _identity(option) != _identity(choice.own):
            labels.append(choice.label(option))
    return Variation("+".join(labels) or DEFAULT_NAME, variants, values, is_default=first)


def _named(variations: Sequence[Variation]) -> tuple[Variation, ...]:
    """Names that are fit for a file, no longer than :data:`MAX_NAME_LENGTH`, and unique."""
    named: dict[str, Variation] = {}
    for each in variations:
        name = file_name(each.name)
        if name.lower() in named:
            name = _with_hash(name, [each.variants, each.hyperparameters])
        named[name.lower()] = Variation(name, each.variants, each.hyperparameters, each.is_default)
    return tuple(named.values())


def file_name(text: str) -> str:
    """``text`` as part of a file name: letters, digits and ``._=+-``; a long one is cut and ends with its hash."""
    safe = re.sub(r"[^A-Za-z0-9._=+-]+", "-", text).strip("-.") or "x"
    return safe if len(safe) <= MAX_NAME_LENGTH else _with_hash(safe, text)


def _with_hash(name: str, content: Any) -> str:
    return f"{name[: MAX_NAME_LENGTH - 9]}-{of_value(content)[:8]}"


def select_variations(variations: Sequence[Variation], patterns: Sequence[str]) -> tuple[Variation, ...]:
    """Those variations whose name is in ``patterns`` or matches one (``*`` and ``?``); all without patterns.

    Raises:
        SweepError: a pattern that matches nothing.
    """
    if not patterns:
        return tuple(variations)
    for pattern in patterns:
        if not any(_matches(each, pattern) for each in variations):
            known = ", ".join(f"`{each.name}`" for each in variations)
            raise SweepError(f"No variation is called `{pattern}`. The variations: {known}.")
    return tuple(each for each in variations if any(_matches(each, pattern) for pattern in patterns))


def _matches(variation: Variation, pattern: str) -> bool:
    return variation.name == pattern or fnmatch.fnmatchcase(variation.name, pattern)


def _identity(value: Any) -> str:
    """Equal for values that are the same choice: ``1`` and ``1.0`` are, ``1`` and ``"1"`` are not."""
    return canonical(_plain(value)).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(nested) for key, nested in value.items()}
    return [_plain(nested) for nested in value] if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
