"""``offline-model``: serves the stand-in for a language model until it is stopped."""

from __future__ import annotations

from pydantic import Field

from llmops_actions.steps.declaration import Inputs, Names, Outcome, Outputs, Step
from llmops_actions.steps.services import OFFLINE_MODEL_VARIABLE, Services


class OfflineModelInputs(Inputs):
    """How the stand-in behaves."""

    port: int = Field(0, ge=0, le=65535, description="Port on 127.0.0.1; 0 takes any free one.")
    latency: float = Field(0.0, ge=0, description="Seconds until an answer.")
    jitter: float = Field(0.0, ge=0, le=1, description="How much of the latency varies, as a part of it.")
    fault: Names = Field(
        (), description="Faults and their probability, such as 429=0.1, 500=0.05, reset=0.02, hang=0.01."
    )
    seed: int = Field(0, description="Seed of the faults: the same requests meet the same faults.")


class OfflineModelOutputs(Outputs):
    """Where it was."""

    url: str = Field("", description="Address of the stand-in model.")


def run(inputs: OfflineModelInputs, services: Services) -> Outcome[OfflineModelOutputs]:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        UsageError: an unknown fault, or probabilities above one.
        PlatformError: the port is taken.
    """
    from llmops_actions.platforms.local.offline_model.foreground import serve_until_stopped
    from llmops_actions.platforms.local.offline_model.settings import Settings, parse_faults

    settings = Settings(
        port=inputs.port,
        latency=inputs.latency,
        jitter=inputs.jitter,
        faults=parse_faults(inputs.fault),
        seed=inputs.seed,
    )

    addresses: list[str] = []

    def listening(url: str) -> None:
        addresses.append(url)
        services.progress.note(f"A stand-in for a language model listens at {url} (it is no language model).")
        services.progress.note(f"Use it by {OFFLINE_MODEL_VARIABLE}={url} and --offline; stop it with Ctrl-C.")

    serve_until_stopped(settings, listening)
    return Outcome("passed", OfflineModelOutputs(url=addresses[0]), "The stand-in model was stopped.")


STEP = Step("offline-model", OfflineModelInputs, OfflineModelOutputs, run)
