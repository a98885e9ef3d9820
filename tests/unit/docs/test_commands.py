"""Every command that the pages show is run by a test: the table in proofs.py says which, and this looks it up there."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from proofs import BESIDE, ELSEWHERE, MAKE, RUNS, Run
from shown import LANGUAGES, PAGES, TOP, blocks, commands, inline

# Every command of this page is run and its output compared, by the test beside the commands.
PLAYED, PLAYED_BY = "docs/commands.md", "tests/unit/commands/test_pages.py"
SHOWN = {command for page in PAGES if page != PLAYED for command in commands(page)}
SHOWN |= {command for page in PAGES for command in inline(page)} - ELSEWHERE.keys()
PROGRAMS = {command.split()[0] for command in SHOWN}

each_page = pytest.mark.parametrize("page", PAGES)


def texts(path: Path) -> str:
    """What a file says: of Python its strings as they are when it runs, too."""
    text = path.read_text()
    if path.suffix == ".py":
        values = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
        text += "\n".join(value for value in values if isinstance(value, str))
    return " ".join(text.split())


def prerequisites(target: str) -> set[str]:
    """A target of the Makefile and all that it is made of."""
    lines = re.findall(rf"^{target}:([^#\n]*)", (TOP / "Makefile").read_text(), re.MULTILINE)
    needs = {word for line in lines for word in line.split() if re.fullmatch(r"[a-z-]+", word)}
    return {target}.union(*map(prerequisites, needs))


def test_there_are_pages_and_commands() -> None:
    assert {"README.md", "docs/faq.md", "helm/kmsg-exporter/README.md", "deploy/kubernetes/README.md"} <= set(PAGES)
    assert len(SHOWN) > 50


@each_page
def test_every_block_says_what_it_is(page: str) -> None:
    assert [(language, text) for language, text in blocks(page) if language not in LANGUAGES] == []


@each_page
def test_no_command_hides_in_an_indented_block(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (TOP / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?<=\n\n) {4}(?! *[-*\d])(.*)$", text, re.MULTILINE)
    assert [line for line in indented if line.split()[0] in PROGRAMS] == []


@pytest.mark.parametrize("command", sorted(SHOWN))
def test_a_test_runs_it(command: str) -> None:
    target = " ".join(word for word in command.split() if "=" not in word)
    if command.startswith("make ") and target not in MAKE:
        assert prerequisites("test-all") >= set(target.split()[1:])
        return
    proof: Run = MAKE.get(target) or RUNS[command]
    assert " ".join((proof.words or command).split()) in texts(TOP / proof.file), f"not in {proof.file}"


def test_no_proof_is_of_a_command_that_no_page_shows() -> None:
    assert {*RUNS, *MAKE} - SHOWN == set()
    assert ELSEWHERE.keys() - {command for page in PAGES for command in inline(page)} == set()


def test_the_page_of_commands_is_played_whole() -> None:
    played = (TOP / PLAYED_BY).read_text()
    assert "SHOWN = re.findall(" in played
    pattern = r"```\n\$ kmsg-exporter ([^\n]*)\n(.*?)```"
    assert pattern in played
    found = {line.partition("#")[0].strip() for line, _ in re.findall(pattern, (TOP / PLAYED).read_text(), re.DOTALL)}
    shown = {command.removeprefix("kmsg-exporter ") for command in commands(PLAYED) if command not in BESIDE}
    assert shown <= found
    assert {"why", "recover", "history"} <= found
    assert BESIDE.keys() - set(commands(PLAYED)) == set()
    assert [command for command, run in BESIDE.items() if run.words not in texts(TOP / run.file)] == []


FILES = {proof.file for proof in (*RUNS.values(), *MAKE.values())} - {"Makefile", "pyproject.toml"}


@pytest.mark.parametrize("file", sorted(FILES))
def test_what_runs_it_is_a_part_of_the_tests(file: str) -> None:
    """Its folder is named in the Makefile, by a target of test-all or by a script of such a folder."""
    folder = Path(file).parts[1]
    targets = re.findall(
        rf"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*tests/{folder}\b", (TOP / "Makefile").read_text(), re.MULTILINE
    )
    assert set(targets) & prerequisites("test-all") != set()
