"""Imports prompt flow the quick and quiet way, before any fork: no telemetry thread, no lock, no daemon.

``promptflow``'s own ``__init__`` imports its whole control plane (SQLAlchemy, Flask, the Azure Monitor exporter with
three threads, a file lock that does not survive a fork). None of it is needed to run a flow, so the three modules that
pull it in are stood in for until somebody asks for something that only the real one has.
"""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

_SETTINGS = "telemetry:\n  enabled: false\ntrace:\n  destination: none\n"

QUIET_ENVIRONMENT = {
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "PF_DISABLE_TRACING": "true",
    "PF_TRACING_SKIP_LOCAL_SETUP": "true",
    "PF_LOGGING_LEVEL": "WARNING",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}
"""What keeps prompt flow from the network, from daemons and from the keyring."""


def quiet_environment(home: Path) -> dict[str, str]:
    """The environment in which prompt flow keeps to itself; its state goes to ``home``, which is created."""
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "pf.yaml"
    if not settings.exists():
        settings.write_text(_SETTINGS, encoding="utf-8")
    return {**QUIET_ENVIRONMENT, "PF_HOME_DIRECTORY": str(home)}


def preload(scratch: Path) -> None:
    """Import everything that every prompt flow child needs, and leave no second thread behind."""
    os.environ.update(quiet_environment(scratch / "promptflow-home"))
    stand_in_for_the_control_plane()
    import promptflow.executor._prompty_executor
    import promptflow.executor._script_executor
    import promptflow.executor.flow_executor
    import promptflow.tools  # noqa: F401

    from llmops_actions.platforms.local.shortcuts import take_shortcuts

    for module in ("model_calls", "worker", "executors.dag", "executors.script"):
        importlib.import_module(f"llmops_actions.platforms.local.{module}")
    take_shortcuts()
    _warm_up_openai()
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        sys.stderr.write(f"threads alive before a fork: {others}\n")
    gc.collect()
    gc.freeze()


def stand_in_for_the_control_plane() -> None:
    """Put light modules in the place of ``promptflow``, ``promptflow._internal`` and ``promptflow._cli._utils``."""
    if "promptflow" in sys.modules:
        return
    _stand_in("promptflow", {})
    _stand_in(
        "promptflow._internal",
        {
            "tool": ("promptflow._core.tool", "tool"),
            "ToolProvider": ("promptflow._core.tool", "ToolProvider"),
            "enable_cache": ("promptflow._core.cache_manager", "enable_cache"),
            "register_apis": ("promptflow._core.tools_manager", "register_apis"),
            "register_builtins": ("promptflow._core.tools_manager", "register_builtins"),
        },
    )
    light = _stand_in("promptflow._cli._utils", {})

    def get_workspace_triad_from_local() -> Any:
        return light.__getattr__("_load")().get_workspace_triad_from_local()

    vars(light)["get_workspace_triad_from_local"] = get_workspace_triad_from_local


class _StandIn(ModuleType):
    """A module that becomes the real one when somebody asks for a name that it does not have."""

    _names: Mapping[str, tuple[str, str]]
    _loaded: bool

    def __getattr__(self, name: str) -> Any:
        if name == "_load":
            return self._become_real
        if not self._loaded and name in self._names:
            module, attribute = self._names[name]
            return getattr(importlib.import_module(module), attribute)
        if self._loaded or (name.startswith("__") and name.endswith("__")):
            legacy: Callable[[str], Any] | None = vars(self).get("__getattr__")
            if legacy is not None and not name.startswith("__"):
                return legacy(name)
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._become_real(), name)

    def _become_real(self) -> _StandIn:
        if not self._loaded:
            self._loaded = True
            spec = self.__spec__
            if spec is None or spec.loader is None:
                raise ImportError(f"{self.__name__} cannot be loaded")
            spec.loader.exec_module(self)
        return self


def _stand_in(name: str, names: Mapping[str, tuple[str, str]]) -> _StandIn:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = _StandIn(name)
    module.__spec__ = spec
    module.__file__ = spec.origin
    module.__loader__ = spec.loader
    module.__package__ = spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    vars(module)["_names"] = names
    vars(module)["_loaded"] = False
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    return module


def _warm_up_openai() -> None:
    """Build a client and parse an answer once, so that no child pays for lazy imports and pydantic's schemas."""
    import openai
    from openai._models import construct_type
    from openai.types import CreateEmbeddingResponse
    from openai.types.chat import ChatCompletion

    with openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/", max_retries=0) as client:
        for create in (client.chat.completions, client.completions, client.embeddings):
            str(create)
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ""}}
    answer = {"id": "", "created": 0, "model": "", "object": "chat.completion", "choices": [choice], "usage": usage}
    construct_type(type_=ChatCompletion, value=answer)
    construct_type(type_=CreateEmbeddingResponse, value={"data": [], "model": "", "object": "list", "usage": usage})
