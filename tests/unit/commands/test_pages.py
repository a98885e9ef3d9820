"""docs/commands.md shows what the commands print: each is run, and compared to the letter."""

from __future__ import annotations

import re
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from fake_node import FakeNode

from kmsg_exporter import cli

sys.path.insert(0, str(Path(__file__).parent))
from night import play

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
SHOWN = re.findall(r"```\n\$ kmsg-exporter ([^\n]*)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(node: FakeNode, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> tuple[int, str]:
    """Exit code, and both streams as a terminal would show them one after the other."""
    streams = [TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    flags = [*node.flags(), f"--path.etc={node.etc}"] if words[0] != "history" else [f"--state-directory={node.state}"]
    flags += [f"--path.log={node.log}"] if words[0] == "why" else []
    code = cli.main([*words, *flags], {})
    return code, "".join(stream.buffer.getvalue().decode() for stream in streams)


def test_every_command_of_these_is_shown() -> None:
    assert {line.split()[0] for line, _ in SHOWN} == {"why", "recover", "history"}


@pytest.mark.parametrize(("line", "output"), SHOWN, ids=[line for line, _ in SHOWN])
def test_the_page_shows_what_the_command_prints(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, line: str, output: str
) -> None:
    play(node)
    command, _, remark = line.partition("  # exits ")
    code, printed = run(node, monkeypatch, command.split())
    assert code == int(remark or 0)
    assert re.sub(r'"log\.record\.uid": "[^"]*"', '"log.record.uid": "..."', printed) == output
