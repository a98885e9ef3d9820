"""The commands that the pages show: every line of their blocks of `sh`, and after the prompt in those of `console`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parents[3]
_PAGES: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "deploy/**/README.md",
    "helm/**/README.md",
    "grafana/README.md",
)
PAGES: Final = sorted(str(path.relative_to(TOP)) for pattern in _PAGES for path in TOP.glob(pattern))
LANGUAGES: Final = {"sh", "console", "text", "yaml", "json", "ini", "promql"}  # what a block may be
_BLOCK: Final = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each; one without a language that begins with a prompt is `console`."""
    found = _BLOCK.findall((TOP / page).read_text())
    return [(language or ("console" if text.startswith("$ ") else ""), text) for language, text in found]


def commands(page: str) -> list[str]:
    """Without the remarks behind them, lines that go on joined."""
    lines: list[str] = []
    for language, text in blocks(page):
        whole = re.sub(r"\\\n *", "", text).splitlines()
        if language == "sh":
            lines += whole
        elif language == "console":
            lines += [line.removeprefix("$ ") for line in whole if line.startswith("$ ")]
    bare = (re.sub(r"(^| )\s*#.*", "", line).strip() for line in lines)
    return [command for command in bare if command]
