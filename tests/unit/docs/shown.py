"""The commands that the pages show: lines of blocks of `sh`, after the prompt in `console`, and in sentences."""

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
# What begins a command in a sentence. A name alone is no command there, but a word of the sentence.
_PROGRAMS: Final = (
    *(
        "apt",
        "apt-get",
        "curl",
        "dmesg",
        "dnf",
        "docker",
        "helm",
        "kmsg-exporter",
        "kubectl",
        "make",
        "mount",
        "openssl",
    ),
    *("pip", "pipx", "pytest", "sed", "ss", "systemctl", ".venv/bin/python"),
)
_BLOCK: Final = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each; one without a language that begins with a prompt is `console`, with a command `sh`."""
    found = _BLOCK.findall((TOP / page).read_text())
    return [(language or _guessed(text), text) for language, text in found]


def commands(page: str) -> list[str]:
    """Without the remarks behind them, lines that go on joined."""
    lines: list[str] = []
    for language, text in blocks(page):
        whole = re.sub(r"\\\n *", "", text).splitlines()
        if language == "sh":
            lines += whole
        elif language == "console":
            lines += [line.removeprefix("$ ") for line in whole if line.startswith("$ ")]
    bare = (re.sub(r"(^| )\s*#.*", "", line).strip().removeprefix("sudo ") for line in lines)
    return [command for command in bare if command]


def inline(page: str) -> list[str]:
    """The commands within its sentences and tables."""
    text = re.sub(r"^```.*?^```$", "", (TOP / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.DOTALL)
    found = [code.split() for code in re.findall(r"`([^`\n]+)`", text)]
    return [" ".join(words) for words in found if len(words) > 1 and _first(words) in _PROGRAMS]


def _guessed(text: str) -> str:
    if text.startswith("$ "):
        return "console"
    return "sh" if text.startswith(_PROGRAMS) else ""


def _first(words: list[str]) -> str:
    return next((word for word in words if not re.match(r"[A-Z_]+=", word)), "")
