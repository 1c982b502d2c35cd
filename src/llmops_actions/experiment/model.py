"""The experiment file as it is written: one model for the base file and for its overlays."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\s/\\]+$")]
Text = Annotated[str, StringConstraints(min_length=1)]

DEFAULT_MAX_VARIATIONS = 32


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class DatasetBlock(_Block):
    """A dataset that the flow is run over."""

    name: Name = Field(description="Unique name of the dataset.")
    source: Text = Field(
        description="Path to a JSONL, CSV, TSV, JSON or Parquet file (also looked up under data/), "
        "or azureml:<name>:<version>."
    )
    description: str | None = Field(None, description="What the dataset is for; goes with it when it is registered.")
    mappings: dict[str, Any] = Field(
        description="For each input of the flow: ${data.<column>} or a literal value.", default_factory=dict
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
        default_factory=dict,
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

    model_config = ConfigDict(extra="allow", str_strip_whitespace=True)

    name: Name = Field(description="Name by which flows refer to the connection.")
    connection_type: str | None = Field(
        None,
        description="Type of the connection, such as AzureOpenAIConnection, OpenAIConnection, CustomConnection.",
    )
    configs: dict[str, Any] = Field(default_factory=dict, description="Settings of a custom connection.")
    secrets: dict[str, Any] = Field(
        default_factory=dict, description="Secrets of a custom connection: ${NAME} references, never values."
    )
    requests_per_minute: int | None = Field(None, gt=0, description="Rate limit of the service; rows are paced by it.")
    tokens_per_minute: int | None = Field(None, gt=0, description="Token limit of the service; rows are paced by it.")


class ExperimentFile(_Block):
    """A use case: the flow, the datasets it is run over, and the evaluators that score the results.

    In an overlay (experiment.<env>.yaml) each block that is present replaces the base's whole block; `name` and
    `flow` always come from the base.
    """

    model_config = ConfigDict(
        extra="forbid", str_strip_whitespace=True, title="llmops-actions experiment", populate_by_name=True
    )

    schema_reference: str | None = Field(
        None, alias="$schema", description="Address of this schema, for editors; not used otherwise."
    )
    name: Name = Field(description="Name of the experiment, and of the model that it registers.")
    flow: Text | None = Field(None, description="Path to the flow; flows/<name> or <name> when it is not given.")
    connections: list[ConnectionBlock] = Field(
        default_factory=list, description="Connections that the flows use; secrets as ${NAME} references."
    )
    datasets: list[DatasetBlock] = Field(default_factory=list, description="Datasets that the flow is run over.")
    evaluators: list[EvaluatorBlock] = Field(default_factory=list, description="Evaluators of the runs.")
    runtime: str | None = Field(None, description="Prompt flow runtime in Azure ML; automatic when it is not given.")
    variants: Literal["all", "defaults"] | list[Text] = Field(
        "all",
        description="Which node variants are run: all, defaults, or a list of <node>.<variant>; nodes not in the "
        "list keep their default.",
    )
    hyperparameters: dict[str, dict[str, list[Any]]] = Field(
        default_factory=dict,
        description="Values to sweep: <node>: {<input>: [values]} for a dag flow, init: {<argument>: [values]} for "
        "a flex class, model: {<setting>: [values]} for a prompty.",
    )
    max_variations: int = Field(
        DEFAULT_MAX_VARIATIONS, ge=1, description="A sweep with more variations than this is refused."
    )
    gates: list[dict[str, Any]] = Field(
        default_factory=list, description="Rules that decide whether the results are good enough."
    )
    deployment: dict[str, Any] = Field(default_factory=dict, description="How the flow is deployed.")

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
        return (
            {"*": "all", "default": "defaults", None: "all"}.get(value, value) if not isinstance(value, list) else value
        )
