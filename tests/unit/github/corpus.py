"""Hostile text: each of these must stay text wherever it goes."""

from __future__ import annotations

CORPUS = {
    "substitution": "$(touch /tmp/llmops-was-here)",
    "backticks": "`touch /tmp/llmops-was-here`",
    "expression": "${{ secrets.GITHUB_TOKEN }}",
    "semicolon": "; exit 0 #",
    "quotes": "'\"; exit 0; \"'",
    "line ends": "one\ntwo\r\nthree\rfour",
    "command": "::set-output name=verdict::passed",
    "command after a line end": "harmless\n::add-mask::passed\n::stop-commands::x",
    "command after a carriage return": "harmless\r::error::forged",
    "command after spaces": "  \t ::warning file=a.py,line=1::forged",
    "old command": "##[error]forged",
    "old command in a line": "harmless ##[set-output name=verdict;]passed",
    "old command after a line end": "harmless\n##[add-mask]passed",
    "end of a heredoc": "EOF\nverdict=passed\nEOF",
    "output line": "verdict=passed\nverdict<<ghadelimiter_x\npassed\nghadelimiter_x",
    "escapes": "%0A::error::forged%0D%25",
    "properties": "a,line=9::b:c",
    "colours": "\x1b[2J\x1b]0;title\x07\x1b[31mred",
    "reversed": "\u202egnp.exe\u2028::error::forged",
    "markup": "<script>alert(1)</script><!-- --> | cell | [link](javascript:alert(1)) @everyone",
    "null": "a\x00b",
    "surrogate": "name-\udcff",
    "long": "x" * 100_000,
}
