"""Tests of the Python nodes of the flow and of its evaluators: no model, no network."""

import importlib.util
import ipaddress
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

USE_CASE = Path(__file__).resolve().parents[1]
FLOWS = USE_CASE / "flows"


def node(path):
    """The module of a node, loaded by its path: other use cases may have a node of the same name."""
    spec = importlib.util.spec_from_file_location(f"web_classification_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fetch = node(FLOWS / "experiment" / "fetch_text_content.py")
convert_to_dict = node(FLOWS / "experiment" / "convert_to_dict.py").convert_to_dict
prepare_examples = node(FLOWS / "experiment" / "prepare_examples.py").prepare_examples
grade = node(FLOWS / "classification_accuracy" / "grade.py").grade
accuracy = node(FLOWS / "classification_accuracy" / "accuracy.py").accuracy
evidence_score = node(FLOWS / "evidence_quality" / "evidence_score.py").evidence_score
mean_score = node(FLOWS / "evidence_quality" / "mean_score.py").mean_score


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"category": "App", "evidence": "Both"}', {"category": "App", "evidence": "Both"}),
        ('Sure!\n```json\n{"category": "app", "evidence": "URL"}\n```', {"category": "App", "evidence": "Url"}),
        ('{"category": "Research paper", "evidence": "Url"}', {"category": "Research paper", "evidence": "Url"}),
        ('{} then {"category": " News ", "evidence": 3}', {"category": "News", "evidence": "None"}),
        ("I cannot say.", {"category": "None", "evidence": "None"}),
        ("", {"category": "None", "evidence": "None"}),
        ("[" * 9000, {"category": "None", "evidence": "None"}),
        ("{" * 9000, {"category": "None", "evidence": "None"}),
        ('{"category": ["App"]}', {"category": "None", "evidence": "None"}),
        (None, {"category": "None", "evidence": "None"}),
    ],
)
def test_an_answer_becomes_a_category_and_evidence(answer, expected):
    assert convert_to_dict(answer=answer) == expected


def test_a_hostile_category_is_cut_and_kept_on_one_line():
    answer = json.dumps({"category": "<script>\n" * 50, "evidence": "Both"})
    category = convert_to_dict(answer=answer)["category"]
    assert len(category) <= 60
    assert "\n" not in category


def test_examples_are_not_pages_of_the_datasets():
    known = {
        json.loads(line)["url"]
        for path in (USE_CASE / "data").glob("*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    examples = prepare_examples()
    assert not known & {example["url"] for example in examples}
    assert {example["category"] for example in examples} >= {"App", "Academic", "News"}


def test_offline_the_network_is_never_tried(monkeypatch):
    def no_network(*_):
        raise AssertionError("the network was tried")

    monkeypatch.setenv("LLMOPS_OFFLINE", "1")
    monkeypatch.setattr(fetch, "page_text", no_network)
    assert fetch.fetch_text_content(url="https://page.example/", fallback_text="from the data") == "from the data"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://page.example/", "http://[", "gopher://x", ""])
def test_only_web_addresses_are_fetched(monkeypatch, url):
    monkeypatch.delenv("LLMOPS_OFFLINE", raising=False)
    with pytest.raises(fetch.PageError):
        fetch.page_text(url)
    assert fetch.fetch_text_content(url=url, fallback_text="fallback") == "fallback"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "224.0.0.1",
        "2002:7f00:1::",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ],
)
def test_private_addresses_are_refused(monkeypatch, address):
    assert not fetch.is_public(ipaddress.ip_address(address))
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(fetch.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(fetch.PageError, match="not a public address"):
        fetch.page_text("http://looks-harmless.example/")


class _Pages(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the test's output clean."""

    def do_GET(self):
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        kind = "application/zip" if self.path == "/zip" else "text/html; charset=utf-8"
        body = b"<head><title>t</title></head><p>Caf\xc3\xa9 &amp; more<script>var hidden</script>" + b"x " * 9000
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(name="site")
def site_fixture(monkeypatch):
    """A site on loopback that counts as public for the length of a test."""
    server = HTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(fetch, "is_public", lambda _: True)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_is_reduced_to_its_visible_text(site):
    text = fetch.page_text(f"{site}/page")
    assert text.startswith("Caf\u00e9 & more x x")
    assert "hidden" not in text
    assert len(text) <= fetch.MOST_CHARACTERS


@pytest.mark.parametrize("path", ["/zip", "/missing", "/redirect"])
def test_what_is_not_a_text_page_is_an_error(site, path):
    with pytest.raises(fetch.PageError):
        fetch.page_text(site + path)


def test_grades_and_accuracy(monkeypatch):
    logged = {}
    monkeypatch.setitem(accuracy.__wrapped__.__globals__, "log_metric", logged.__setitem__)
    grades = [grade(groundtruth="App", prediction="app "), grade(groundtruth="App", prediction="News")]
    assert [one["correct"] for one in grades] == [True, False]
    assert accuracy(grades=grades) == 0.5
    assert accuracy(grades=[]) == 0.0
    assert logged == {"accuracy": 0.0}


@pytest.mark.parametrize(
    ("truth", "said", "score"),
    [("Both", "both", 1.0), ("Both", "Url", 0.5), ("Url", "Text content", 0.0), ("Url", "nonsense", 0.0)],
)
def test_evidence_is_scored_by_its_overlap(truth, said, score):
    assert evidence_score(groundtruth=truth, prediction=said) == score


def test_a_wrong_ground_truth_is_not_scored():
    with pytest.raises(ValueError, match="ground truth"):
        evidence_score(groundtruth="Title", prediction="Url")


def test_the_mean_score_of_a_run(monkeypatch):
    logged = {}
    monkeypatch.setitem(mean_score.__wrapped__.__globals__, "log_metric", logged.__setitem__)
    assert mean_score(scores=[1.0, 0.5]) == 0.75
    assert logged == {"evidence_score": 0.75}
