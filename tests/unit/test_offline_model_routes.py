import pytest

from llmops_actions.platforms.local.offline_model.routes import Operation, Route, find_route

AZURE = "/openai/deployments/gpt-4o"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/chat/completions", Route(Operation.CHAT)),
        ("/chat/completions", Route(Operation.CHAT)),
        ("/v1/completions/", Route(Operation.COMPLETION)),
        ("/embeddings", Route(Operation.EMBEDDING)),
        ("/v1/models", Route(Operation.MODELS)),
        ("/v1/models/org/name", Route(Operation.MODELS, model="org/name")),
        (f"{AZURE}/chat/completions", Route(Operation.CHAT, azure=True, deployment="gpt-4o")),
        (f"{AZURE}/completions", Route(Operation.COMPLETION, azure=True, deployment="gpt-4o")),
        (f"{AZURE}/embeddings", Route(Operation.EMBEDDING, azure=True, deployment="gpt-4o")),
        ("/openai/v1/chat/completions", Route(Operation.CHAT, azure=True)),
        ("/openai/models", Route(Operation.MODELS, azure=True)),
    ],
)
def test_an_address_names_its_operation(path: str, route: Route) -> None:
    assert find_route(path) == route


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/responses", "/v2/embeddings", AZURE, f"{AZURE}/models", "/openai/deployments//embeddings"],
)
def test_any_other_address_is_unknown(path: str) -> None:
    assert find_route(path) is None


def test_only_an_address_with_a_deployment_needs_an_api_version() -> None:
    paths = [f"{AZURE}/embeddings", "/openai/v1/embeddings", "/v1/embeddings"]
    needs = [route.needs_api_version for route in map(find_route, paths) if route]
    assert needs == [True, False, False]


def test_only_the_list_of_models_is_fetched_with_get() -> None:
    assert [operation.method for operation in Operation] == ["POST", "POST", "POST", "GET"]
