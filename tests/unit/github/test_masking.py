"""What counts as a secret: what connections resolve to, what is named like one, and nothing that hides a log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmops_actions.github.masking import Secrets, find_secrets

EXPERIMENT = """\
name: sample
flow: flows/sample
connections:
- name: aoai
  connection_type: AzureOpenAIConnection
  api_base: https://public.example
  api_key: ${api_key}
- name: search
  connection_type: CustomConnection
  configs:
    address: https://search.example
  secrets:
    word: ${SEARCH_WORD}
datasets:
- name: rows
  source: data/rows.jsonl
  mappings: {}
"""


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    flow = folder / "flows" / "sample"
    flow.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "experiment.yaml").write_text(EXPERIMENT, encoding="utf-8")
    (flow / "flow.dag.yaml").write_text("inputs: {}\noutputs: {}\nnodes: []\n", encoding="utf-8")
    return folder


def test_connections_resolve_to_secrets(use_case: Path) -> None:
    environ = {"AOAI_API_KEY": "key-of-the-model", "SEARCH_WORD": "open-sesame", "HOME": "/home/someone"}
    found = find_secrets(environ, use_case.parent, "sample")
    assert found.values == {"key-of-the-model", "open-sesame"}


def test_dotenv_and_the_environment_file_hold_secrets(use_case: Path) -> None:
    (use_case / ".env").write_text(
        "AOAI_API_KEY=from-dotenv\nSEARCH_WORD=searching\nCOLOUR=ultraviolet\n", encoding="utf-8"
    )
    (use_case / "environment").mkdir()
    (use_case / "environment" / "env.yaml").write_text("db_password: ${DB}\nregion: westeurope\n", encoding="utf-8")
    found = find_secrets({"DB": "from-the-job"}, use_case.parent, "sample")
    assert found.values == {"from-dotenv", "searching", "from-the-job"}


@pytest.mark.parametrize("text", ["name: [", "connections: 3", "\udcff"])
def test_a_broken_use_case_still_has_its_dotenv_masked(use_case: Path, text: str) -> None:
    (use_case / "experiment.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    (use_case / ".env").write_text("AOAI_API_KEY=from-dotenv\n", encoding="utf-8")
    assert find_secrets({"MY_TOKEN": "from-the-job"}, use_case.parent, "sample").values == {
        "from-dotenv",
        "from-the-job",
    }


def test_a_dotenv_that_is_no_text_stops_nothing(use_case: Path) -> None:
    (use_case / ".env").write_bytes(b"A_KEY=\xff\xfe\n")
    assert find_secrets({"MY_TOKEN": "from-the-job"}, use_case.parent, "sample").values == {"from-the-job"}


def test_names_tell_secrets_from_the_rest() -> None:
    secret = ["OPENAI_API_KEY", "GH_TOKEN", "CLIENT_SECRET", "db_password", "AZURE_CREDENTIALS", "AZURE_PAT", "X_SAS"]
    public = ["PWD", "OLDPWD", "PATH", "HOME", "KEYBOARD", "TOKENIZERS", "MAX_TOKENS"]
    environ = {name: f"value of {name}" for name in [*secret, *public]} | {"SORT_KEY": "123456789", "TEST_KEY": "test"}
    assert find_secrets(environ, Path()).values == {f"value of {name}" for name in secret}


def test_longer_secrets_go_first_and_json_is_seen_through() -> None:
    secrets = Secrets.of(["abcdef", "abcdefghi", 'quo"ted\nkey-line'])
    assert secrets.redact("abcdefghi abcdef") == "*** ***"
    assert secrets.redact(json.dumps({"it": 'quo"ted\nkey-line'})) == '{"it": "***"}'
    assert "abcdef" not in repr(secrets)
