"""Fetches the text of a web page, and falls back on the text that came with the data."""

import http.client
import ipaddress
import logging
import os
import socket
import urllib.request
from html.parser import HTMLParser
from urllib.parse import urlsplit

from promptflow.core import tool

TIMEOUT_SECONDS = 5.0
MOST_BYTES = 500_000
MOST_CHARACTERS = 4_000
LOG = logging.getLogger(__name__)
USER_AGENT = "llmops-actions-sample/1.0"


class PageError(Exception):
    """The page is not there, not text, or must not be fetched."""


@tool
def fetch_text_content(url: str, fallback_text: str = "") -> str:
    """The readable text of the page, at most 4000 characters.

    With `LLMOPS_OFFLINE=1` the network is never tried. A page that cannot be fetched, or has no text, gives the
    fallback text.
    """
    if os.environ.get("LLMOPS_OFFLINE") == "1":
        return fallback_text
    try:
        text = page_text(url)
    except PageError as error:
        LOG.warning("%s: %s; using the text that came with the data", url, error)
        return fallback_text
    return text or fallback_text


def page_text(url: str) -> str:
    """The text of a public http or https page.

    Raises PageError for another scheme, an address that is not public, a time-out, an error status, and for anything
    that is not text. Every redirect is checked in the same way.
    """
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise PageError(f"not a URL ({error})") from error
    if scheme not in ("http", "https"):
        raise PageError("only http and https are fetched")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})  # noqa: S310 - checked above
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            charset = answer.headers.get_content_charset() or "utf-8"
            content = answer.read(MOST_BYTES)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PageError(f"not fetched ({error})") from error
    if not kind.startswith("text/"):
        raise PageError(f"not a text page but {kind}")
    try:
        text = content.decode(charset, errors="replace")
    except LookupError:
        text = content.decode("utf-8", errors="replace")
    return readable(text) if kind == "text/html" else text[:MOST_CHARACTERS].strip()


def readable(html: str) -> str:
    """The visible text of an HTML page, one line, at most 4000 characters."""
    reader = _Reader()
    reader.feed(html)
    return " ".join(" ".join(reader.pieces).split())[:MOST_CHARACTERS]


class _Reader(HTMLParser):
    _HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "head"})

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.pieces = []
        self._hidden_in = []

    def handle_starttag(self, tag, _attrs):
        if tag in self._HIDDEN:
            self._hidden_in.append(tag)

    def handle_endtag(self, tag):
        if tag in self._hidden_in:
            del self._hidden_in[self._hidden_in.index(tag) :]

    def handle_data(self, data):
        if not self._hidden_in:
            self.pieces.append(data)


def public_connection(address, timeout=TIMEOUT_SECONDS, source_address=None):
    """A TCP connection to a public address; the address that was checked is the one that is used.

    Raises OSError for a private, loopback, link-local or reserved address: a dataset must not reach into the network
    of the machine that runs the flow.
    """
    host, port = address
    problem = OSError(f"{host} has no address")
    for *_, found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        ip = ipaddress.ip_address(found[0])
        if not is_public(ip):
            raise OSError(f"{host} is not a public address")
        try:
            return socket.create_connection((str(ip), port), timeout, source_address)
        except OSError as error:
            problem = error
    raise problem


def is_public(ip):
    """Whether an IP address is one of the open internet, also when it is an IPv4 address within IPv6."""
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (inner is None or is_public(inner))


class _Http(http.client.HTTPConnection):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._create_connection = public_connection


class _Https(http.client.HTTPSConnection):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._create_connection = public_connection


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_Http, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return self.do_open(_Https, request)


def _opener():
    """An opener that knows http and https alone: no files, no ftp, no proxy that would hide the address."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _HttpHandler(),
        _HttpsHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
