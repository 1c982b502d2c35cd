"""Connections as the experiment file writes them, resolved to what prompt flow takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.model import ConnectionBlock
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.experiment.variables import Variables, plain_text

ENDPOINT_KEYS: Mapping[str, str | None] = {
    "AzureOpenAIConnection": "api_base",
    "OpenAIConnection": "base_url",
    "ServerlessConnection": "api_base",
    "CognitiveSearchConnection": "api_base",
    "QdrantConnection": "api_base",
    "WeaviateConnection": "api_base",
    "AzureAIServicesConnection": "endpoint",
    "AzureContentSafetyConnection": "endpoint",
    "FormRecognizerConnection": "endpoint",
    "SerpConnection": None,
    "CustomConnection": None,
    "CustomStrongTypeConnection": None,
}
"""The connection types of prompt flow 1.18.5 (``promptflow.core._connection``) and what each calls its address."""

MODEL_CONNECTIONS = frozenset({"AzureOpenAIConnection", "OpenAIConnection", "ServerlessConnection"})
"""Connections that language models are called through: these are pointed at the offline model."""

OFFLINE_KEY = "offline"
"""The key that the stand-in is called with: clients want one, it means nothing."""

_CUSTOM = frozenset({"CustomConnection", "CustomStrongTypeConnection"})
_ADDRESSES = frozenset({"api_base", "api_endpoint", "azure_endpoint", "endpoint", "base_url"})


@dataclass(frozen=True)
class Connection:
    """A connection with every ``${NAME}`` replaced. ``missing`` names the environment variables nobody defined."""

    name: str
    type: str
    configs: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)
    missing: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    location: Location | None = None

    @property
    def is_model(self) -> bool:
        """Whether a language model is called through it."""
        return self.type in MODEL_CONNECTIONS


def connection_type(written: str, location: Location | None = None) -> str:
    """The type's proper name, whatever the case it is written in, with or without ``Connection`` behind it.

    Raises:
        ExperimentError: prompt flow knows no such type.
    """
    by_lower = {name.lower(): name for name in ENDPOINT_KEYS}
    bare = written.replace("_", "").replace(" ", "").lower()
    for candidate in (bare, f"{bare}connection"):
        if candidate in by_lower:
            return by_lower[candidate]
    hint = did_you_mean(written, ENDPOINT_KEYS, f"Known types: {', '.join(ENDPOINT_KEYS)}.")
    raise ExperimentError(f"Prompt flow knows no connection type `{written}`. {hint}", location)


def resolve_connection(block: ConnectionBlock, variables: Variables, location: Location) -> Connection:
    """Resolve one connection; ``api_key: ${api_key}`` of connection ``aoai`` is looked up as ``AOAI_API_KEY`` first.

    A setting without a value is left out.

    Raises:
        ExperimentError: a type that prompt flow does not know, or a setting that is a list or a mapping.
    """
    kind = connection_type(block.connection_type or "", location)
    missing: list[str] = []

    def resolved(settings: Mapping[str, object]) -> dict[str, str]:
        texts = {}
        for key, value in settings.items():
            if isinstance(value, dict | list):
                raise ExperimentError(f"`{key}` of the connection `{block.name}` must be one plain value.", location)
            if value is not None:
                resolution = variables.resolve(plain_text(value), block.name)
                missing.extend(resolution.missing)
                texts[key] = resolution.text
        return texts

    settings = {_setting_name(kind, key): text for key, text in resolved(block.model_extra or {}).items()}
    secret_keys = set(settings) if kind in _CUSTOM else {"api_key"}
    configs = {key: value for key, value in settings.items() if key not in secret_keys}
    secrets = {key: value for key, value in settings.items() if key in secret_keys}
    configs |= resolved(block.configs)
    secrets |= resolved(block.secrets)
    return Connection(
        name=block.name,
        type=kind,
        configs=configs,
        secrets=secrets,
        missing=tuple(dict.fromkeys(missing)),
        requests_per_minute=block.requests_per_minute,
        tokens_per_minute=block.tokens_per_minute,
        location=location,
    )


def _setting_name(kind: str, key: str) -> str:
    return (ENDPOINT_KEYS[kind] or key) if key in _ADDRESSES else key


def point_at(connection: Connection, url: str) -> Connection:
    """The same connection, but calling the offline model at ``url`` with a key that means nothing, and unpaced."""
    endpoint_key = ENDPOINT_KEYS[connection.type] or "api_base"
    azure = connection.type == "AzureOpenAIConnection"
    endpoint = {endpoint_key: url, "api_type": "azure"} if azure else {endpoint_key: f"{url}/v1"}
    kept = {key: value for key, value in connection.configs.items() if key != "auth_mode"}
    if azure:
        kept.setdefault("api_version", "2024-02-01")
    return Connection(
        name=connection.name,
        type=connection.type,
        configs={**kept, **endpoint},
        secrets={**connection.secrets, "api_key": OFFLINE_KEY},
        location=connection.location,
    )


def missing_variables(connections: Iterable[Connection]) -> dict[str, tuple[str, ...]]:
    """For each connection that lacks something: the environment variables to set."""
    return {connection.name: connection.missing for connection in connections if connection.missing}
