"""What a node of a dag flow is made of: its type, its source, its template, its function, its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.flows.signatures import Callable_, parse_python, signature_of, tool_function
from llmops_actions.experiment.validation.findings import error, from_error, hint, listing, warning
from llmops_actions.experiment.validation.nodes import Node, find_source
from llmops_actions.experiment.validation.templates import check_variables, read_template
from llmops_actions.outcome import Finding

TYPES = ("python", "llm", "prompt", "custom_llm")
APIS = ("chat", "completion")
_SOURCES = {"python": ("code", "package"), "custom_llm": ("package_with_prompt",)}
_MODEL_INPUT = {"AzureOpenAIConnection": "deployment_name", "OpenAIConnection": "model"}


def check_node(
    node: Node, includes: tuple[Path, ...], connection_types: Mapping[str, str], repository: Path
) -> Iterator[Finding]:
    """The node has a known type, its source is there and can be read, and it is given what it needs."""
    if node.variant is None and node.body.get("use_variants"):
        return
    kind = node.body.get("type")
    if kind not in TYPES:
        wrong = f"has the unknown type `{kind}`" if kind else "has no `type`"
        yield error(f"{node.title} {wrong}. {hint(str(kind), TYPES)}", node.place("type"))
        return
    if kind == "llm":
        yield from _check_model(node, connection_types)
    source = node.source.get("type", "code")
    expected = _SOURCES.get(kind, ("code",))
    if source not in expected:
        place = node.place("source", "type")
        yield error(f"The source of {node.label} ({kind}) is {listing(expected)}, not `{source}`.", place)
        return
    if source != "code" and not isinstance(node.source.get("tool"), str):
        yield error(f"{node.title} needs `source.tool`: the tool of a package.", node.place("source"))
    if source != "package":
        yield from _check_file(node, includes, repository)


def _check_file(node: Node, includes: tuple[Path, ...], repository: Path) -> Iterator[Finding]:
    written = node.source.get("path")
    place = node.place("source", "path")
    if not isinstance(written, str) or not written:
        yield error(f"{node.title} needs `source.path`: a file in the flow's folder.", place)
        return
    folder = node.document.file.parent
    file = find_source(folder, includes, written)
    if file is None:
        siblings = sorted(each.name for each in folder.iterdir() if each.suffix == Path(written).suffix)
        yield error(f"The source `{written}` of {node.label} does not exist. {hint(written, siblings)}", place)
        return
    if not _is_inside(file, folder, includes):
        if not file.resolve().is_relative_to(repository.resolve()):
            yield error(f"The source `{written}` of {node.label} leaves the repository. Move it to the flow.", place)
            return
        yield warning(
            f"The source `{written}` of {node.label} lies outside the flow's folder, so it is not registered or "
            "deployed with the flow. Name its folder under `additional_includes`.",
            place,
        )
    if node.body.get("type") == "python":
        yield from _check_function(node, file, place)
    else:
        template, problems = read_template(file)
        yield from problems
        if template:
            yield from check_variables(template, node.inputs, node.label, Location(file, 1))


def _is_inside(file: Path, folder: Path, includes: tuple[Path, ...]) -> bool:
    return any(file.resolve().is_relative_to(root.resolve()) for root in (folder, *includes))


def _check_function(node: Node, file: Path, place: Location) -> Iterator[Finding]:
    """A file that parses; and, where the tool's signature is plain to see, inputs that fit it."""
    if file.suffix != ".py":
        yield error(f"The source of {node.label} is no Python file (*.py).", place)
        return
    try:
        function = tool_function(parse_python(file))
    except ExperimentError as problem:
        yield from from_error(problem)
        return
    if function is not None and len(function.decorator_list) == 1:
        yield from _check_arguments(node, function, Location(file, function.lineno))


def _check_arguments(node: Node, function: Callable_, defined: Location) -> Iterator[Finding]:
    signature = signature_of(function)
    by_position = {each.arg for each in function.args.posonlyargs}
    for name in node.inputs:
        if name not in signature.inputs and not signature.any_keyword:
            known = hint(name, signature.inputs) if signature.inputs else "It takes none."
            yield error(f"`{function.name}` takes no input `{name}`. {known}", node.place("inputs", name))
    for name, parameter in signature.inputs.items():
        if name in by_position:
            yield error(f"`{name}` of `{function.name}` is positional-only. Remove the `/`.", defined)
        elif not parameter.has_default and not _is_given(node, name):
            yield error(
                f"{node.title} does not give `{name}`, which `{function.name}` needs ({defined.file.name}:"
                f"{defined.line}). Add it to the node's inputs.",
                node.place("inputs"),
            )


def _is_given(node: Node, name: str) -> bool:
    """An empty value counts as not given (prompt flow's ``ToolResolver`` drops it)."""
    return node.inputs.get(name) not in (None, "")


def _check_model(node: Node, connection_types: Mapping[str, str]) -> Iterator[Finding]:
    connection = node.body.get("connection")
    if not isinstance(connection, str) or not connection:
        yield error(f"{node.title} calls a model, so it needs `connection: <name>`.", node.place("connection"))
    api = node.body.get("api")
    if api not in APIS:
        yield error(f"{node.title} needs `api`: {listing(APIS)}, not `{api}`.", node.place("api"))
    kind = connection_types.get(str(connection), "")
    wanted = _MODEL_INPUT.get(kind)
    if wanted and not _is_given(node, wanted):
        yield error(f"{node.title} needs the input `{wanted}`: which model the {kind} calls.", node.place("inputs"))
    elif not kind and not (_is_given(node, "deployment_name") or _is_given(node, "model")):
        yield error(
            f"{node.title} names no model: give it the input `deployment_name` (Azure OpenAI) or `model` (OpenAI).",
            node.place("inputs"),
        )


def python_sources(nodes: list[Node]) -> list[str]:
    """The Python files of the nodes' code, as written, each once."""
    written = [
        node.source["path"]
        for node in nodes
        if node.body.get("type") == "python"
        and node.source.get("type", "code") == "code"
        and isinstance(node.source.get("path"), str)
    ]
    return list(dict.fromkeys(written))
