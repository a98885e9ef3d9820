"""Every command that the pages show is run by a test: the table in proofs.py says which, and this looks it up there."""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from pathlib import Path
from typing import Any

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


def code(path: Path) -> str:
    """What a file does, without its remarks."""
    lines = path.read_text().splitlines()
    if path.suffix != ".py":
        return " ".join(re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    for docstring in docstrings(ast.parse("\n".join(lines))):
        lines[docstring.lineno - 1 : docstring.end_lineno] = [""] * len(docstring.value.splitlines())
    for token in tokenize.generate_tokens(iter(f"{line}\n" for line in lines).__next__):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    return " ".join(" ".join(lines).split())


def strings(path: Path) -> set[str]:
    """The strings of Python code, as they are when it runs, and their lines: each whole, none is found in another."""
    tree = ast.parse(path.read_text())
    unspoken = docstrings(tree)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in unspoken]
    texts = [text for node in found if isinstance(node.value, str) for text in (node.value, *node.value.splitlines())]
    return {" ".join(re.sub(r"(^|\s)#.*", "", text).split()) for text in texts}


def docstrings(tree: ast.AST) -> list[Any]:
    """Strings that stand alone."""
    nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    return [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def is_run(command: str, proof: Run) -> bool:
    path = TOP / proof.file
    if not proof.words and path.suffix == ".py":
        return " ".join(command.split()) in strings(path)
    return " ".join((proof.words or command).split()) in code(path)


def prerequisites(target: str) -> set[str]:
    """A target of the Makefile and all that it is made of."""
    rules = re.findall(rf"^{target}:([^#\n]*).*\n((?:\t.*\n)*)", (TOP / "Makefile").read_text(), re.MULTILINE)
    made = [before for before, _ in rules] + [
        line for _, recipe in rules for line in re.findall(r"\$\(MAKE\)(.*)", recipe)
    ]
    needs = {word for line in made for word in line.split() if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)}
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
    assert is_run(command, proof), f"not in {proof.file}"


def test_a_remark_runs_nothing(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n# make it\nmake them  # make all\n")
    assert code(script).split() == ["make", "them"]
    test = tmp_path / "test.py"
    test.write_text('"""make it"""\ndef test():\n    """make\n    that"""\n    run("make " "them")  # make all\n')
    assert code(test) == 'def test(): run("make " "them")'
    assert strings(test) == {"make them"}


def test_a_command_is_not_run_by_running_a_longer_one(tmp_path: Path) -> None:
    test = tmp_path / "test.py"
    test.write_text('run("make them all")\nscript = """make it  # twice\n"""\n')
    assert not is_run("make them", Run(str(test)))
    assert is_run("make it", Run(str(test)))


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
    assert [command for command, run in BESIDE.items() if not is_run(command, run)] == []


FILES = {proof.file for proof in (*RUNS.values(), *MAKE.values())} - {"Makefile", "pyproject.toml"}


@pytest.mark.parametrize("file", sorted(FILES))
def test_what_runs_it_is_a_part_of_the_tests(file: str) -> None:
    """Its folder is named in the Makefile, by a target of test-all or by a script of such a folder."""
    folder = Path(file).parts[1]
    targets = re.findall(
        rf"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*tests/{folder}\b", (TOP / "Makefile").read_text(), re.MULTILINE
    )
    assert set(targets) & prerequisites("test-all") != set()
