"""The experiment file as it is written: one model for the base file and for its overlays."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from llmops_actions.experiment.gates import GateBlock

NAME_PATTERN = r'^[^\s/\\:*?"<>|\x00-\x1f.][^\s/\\:*?"<>|\x00-\x1f]*$'
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NAME_PATTERN)]
"""A name becomes part of file names: no spaces, slashes or what file systems refuse, and no dot in front."""
Text = Annotated[str, StringConstraints(min_length=1)]

DEFAULT_MAX_VARIATIONS = 32

_ALL_VARIANTS = ("*", None)
_DEFAULT_VARIANTS = ("default",)
_SHORT_NAMES = {"rpm": "requests_per_minute", "tpm": "tokens_per_minute"}


def _or_null(schema: dict[str, Any]) -> None:
    """An empty block (``evaluators:``) is written as null."""
    schema["type"] = [schema["type"], "null"]


def _variants_schema(schema: dict[str, Any]) -> None:
    for option in schema["anyOf"]:
        if "enum" in option:
            option["enum"] = [*option["enum"], *_DEFAULT_VARIANTS, *_ALL_VARIANTS]
            option.pop("type", None)


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DatasetBlock(_Block):
    """A dataset that the flow is run over."""

    name: Name = Field(description="Unique name of the dataset.")
    source: Text = Field(
        description="Path to a JSONL, CSV, TSV, JSON or Parquet file (also looked up under data/), "
        "or azureml:<name>:<version>."
    )
    description: str | None = Field(None, description="What the dataset is for; goes with it when it is registered.")
    mappings: dict[str, Any] = Field(
        description="For each input of the flow: ${data.<column>} or a literal value.", json_schema_extra=_or_null
    )

    @field_validator("mappings", mode="before")
    @classmethod
    def _empty_is_no_mapping(cls, value: Any) -> Any:
        return {} if value is None else value


class EvaluatorDatasetBlock(DatasetBlock):
    """A dataset of an evaluator: one of the experiment's by name, or a new one with ``source`` and ``reference``."""

    source: Text | None = Field(  # type: ignore[assignment]
        None,
        description="Only for a new dataset: path or azureml:<name>:<version>; its rows match the reference's.",
    )
    reference: Name | None = Field(
        None, description="Only for a new dataset: the experiment's dataset whose runs are evaluated with it."
    )
    mappings: dict[str, Any] = Field(
        description="For each input of the evaluator: ${data.<column>}, ${run.outputs.<output>}, "
        "${target.<output>} or a literal value.",
        json_schema_extra=_or_null,
    )


class EvaluatorBlock(_Block):
    """An evaluator: an evaluation flow, a prompty, or a folder of Python files eval_*.py with functions eval_*."""

    name: Name = Field(description="Unique name of the evaluator; its metrics are known as <name>.<score>.")
    flow: Text | None = Field(None, description="Path to the evaluator; flows/<name> when it is not given.")
    datasets: list[EvaluatorDatasetBlock] = Field(
        min_length=1,
        description="The datasets whose runs are evaluated, and how columns and outputs are mapped.",
    )


class ConnectionBlock(BaseModel):
    """A connection of any type that prompt flow knows; further keys are the settings of that type."""

    model_config = ConfigDict(extra="allow")

    name: Name = Field(description="Name by which flows refer to the connection.")
    connection_type: str | None = Field(
        None,
        description="Type of the connection, such as AzureOpenAIConnection, OpenAIConnection, CustomConnection.",
    )
    configs: dict[str, Any] = Field(
        default_factory=dict, description="Settings of a custom connection.", json_schema_extra=_or_null
    )
    secrets: dict[str, Any] = Field(
        default_factory=dict,
        description="Secrets of a custom connection: ${NAME} references, never values.",
        json_schema_extra=_or_null,
    )
    requests_per_minute: int | None = Field(
        None,
        gt=0,
        strict=True,
        description="Rate limit of the service (also written rpm); rows are paced by it.",
    )
    tokens_per_minute: int | None = Field(
        None,
        gt=0,
        strict=True,
        description="Token limit of the service (also written tpm); rows are paced by it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, value: Any) -> Any:
        return {_SHORT_NAMES.get(key, key): each for key, each in value.items()} if isinstance(value, dict) else value

    @field_validator("configs", "secrets", mode="before")
    @classmethod
    def _empty_is_nothing(cls, value: Any) -> Any:
        return {} if value is None else value


class ExperimentFile(_Block):
    """A use case: the flow, the datasets it is run over, and the evaluators that score the results.

    In an overlay (experiment.<env>.yaml) each block that is present replaces the base's whole block; `name` and
    `flow` always come from the base.
    """

    model_config = ConfigDict(extra="forbid", title="llmops-actions experiment")

    schema_reference: str | None = Field(
        None, alias="$schema", description="Address of this schema, for editors; not used otherwise."
    )
    name: Name | None = Field(
        None, description="Name of the experiment, and of the model that it registers. An overlay may leave it out."
    )
    flow: Text | None = Field(None, description="Path to the flow; flows/<name> or <name> when it is not given.")
    connections: list[ConnectionBlock] = Field(
        default_factory=list,
        description="Connections that the flows use; secrets as ${NAME} references.",
        json_schema_extra=_or_null,
    )
    datasets: list[DatasetBlock] = Field(
        default_factory=list, description="Datasets that the flow is run over.", json_schema_extra=_or_null
    )
    evaluators: list[EvaluatorBlock] = Field(
        default_factory=list, description="Evaluators of the runs.", json_schema_extra=_or_null
    )
    runtime: str | None = Field(None, description="Prompt flow runtime in Azure ML; automatic when it is not given.")
    variants: Literal["all", "defaults"] | list[Text] = Field(
        "all",
        description="Which node variants are run: all, defaults, or a list of <node>.<variant>; nodes not in the "
        "list keep their default.",
        json_schema_extra=_variants_schema,
    )
    hyperparameters: dict[str, dict[str, list[Any]]] = Field(
        default_factory=dict,
        description="Values to sweep: <node>: {<input>: [values]} for a dag flow, init: {<argument>: [values]} for "
        "a flex class, model: {<setting>: [values]} for a prompty.",
        json_schema_extra=_or_null,
    )
    max_variations: int = Field(
        DEFAULT_MAX_VARIATIONS, ge=1, strict=True, description="A sweep with more variations than this is refused."
    )
    gates: list[GateBlock] = Field(
        default_factory=list,
        description="Rules that decide whether the results are good enough.",
        json_schema_extra=_or_null,
    )
    deployment: dict[str, Any] = Field(
        default_factory=dict, description="How the flow is deployed.", json_schema_extra=_or_null
    )

    @field_validator("connections", "datasets", "evaluators", "gates", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return [] if value is None else value

    @field_validator("hyperparameters", "deployment", mode="before")
    @classmethod
    def _empty_is_nothing(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("variants", mode="before")
    @classmethod
    def _star_is_all(cls, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return "all" if value in _ALL_VARIANTS else "defaults" if value in _DEFAULT_VARIANTS else value
        return value
