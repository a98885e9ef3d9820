"""What the pages say is there: commands, flags, variables, metrics, links, and the tables that the code holds."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmsg_exporter.cli import parser
from kmsg_exporter.collector.figures import ALL as COLLECTOR
from kmsg_exporter.config import OPTIONS, load
from kmsg_exporter.coverage import COVERAGE
from kmsg_exporter.metrics.exposition import ALL

sys.path.insert(0, str(Path(__file__).parents[3] / "docs"))
from generate import PAGES as GENERATED
from generate import TOP, filled

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *sorted(f"docs/{page.name}" for page in TOP.glob("docs/*.md")))
BRACED = re.compile(r"\{[^}]*\}")

each_page = pytest.mark.parametrize("page", PAGES)


def read(page: str) -> str:
    return (TOP / page).read_text()


def code(page: str) -> Iterator[str]:
    """Each line of the page's blocks of code, and each piece of code within a sentence."""
    for number, part in enumerate(re.split(r"^```.*$", read(page), flags=re.MULTILINE)):
        lines = part.splitlines()
        yield from lines if number % 2 else (line for line in lines if line.startswith("    "))
        if number % 2 == 0:
            yield from re.findall(r"`([^`\n]+)`", part)


def commands(page: str, program: str) -> Iterator[list[str]]:
    """The arguments of every call of a program that the page shows, with or without the prompt before it."""
    for line in code(page):
        call = re.match(rf"\s*(?:[$#] )?(?:sudo )?(?:\S*/)?{program}(?: +(.*))?$", line)
        if call:
            yield shlex.split(call[1] or "", comments=True)


def test_the_readme_says_of_each_backend_what_the_agent_says() -> None:
    rows = [tuple(cell.strip() for cell in line.strip("| \n").split("|")) for line in read("README.md").splitlines()]
    head = rows.index(("`kprobe`", "`tracepoint`", "`function`", "`state`"))
    told = rows[head + 2 : head + 2 + len(COVERAGE)]
    assert told == [(row.what, row.kprobe, row.tracepoint, row.function, row.state) for row in COVERAGE]
    assert rows[head + 2 + len(COVERAGE)] == ("",)


@pytest.mark.parametrize("page", GENERATED)
def test_a_generated_table_is_what_the_code_says(page: str) -> None:
    assert "<!-- generated: " in read(page)
    assert filled(read(page)) == read(page), "run .venv/bin/python docs/generate.py"


@each_page
def test_every_command_is_one_that_the_program_takes(page: str) -> None:
    for arguments in commands(page, "kmsg-exporter"):
        if not arguments or {"--help", "--version"} & set(arguments):
            continue
        load(parser().parse_args(arguments), {}, read_file=lambda _path: "")


@each_page
def test_every_make_command_is_a_target(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    for arguments in commands(page, "make"):
        assert [word for word in arguments if "=" not in word and word not in targets] == []


@each_page
def test_every_script_and_test_that_a_command_names_is_there(page: str) -> None:
    for line in code(page):
        for path in re.findall(r"(?<![\w./-])(?:tests|docs|kmsg_exporter|deploy)/[\w./-]*\w", line):
            assert (TOP / path).exists(), path


@each_page
def test_every_flag_is_a_flag(page: str) -> None:
    flags = {option.flag for option in OPTIONS} | {f"--no-{option.name}" for option in OPTIONS}
    flags |= {"--help", "--version", "--json", "--backup"}
    flags |= {"--all", "--since", "--until", "--comm", "--exe", "--limit", "--path.log"}
    flags |= {"--level", "--facility", "--ctime", "--decode", "--raw", "--color"}
    flags |= {"--once", "--interval", "--sort", "--reverse", "--filter"}
    foreign = {"--append", "--strict", "--set"}  # of tests/guest/boot.py, mypy and Helm
    foreign |= {"--create-namespace", "--device", "--field-selector", "--overwrite"}  # of Helm, podman and kubectl
    for piece in code(page):
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z.-]*", piece)) - flags - foreign == set()


@each_page
def test_every_variable_of_ours_is_an_option(page: str) -> None:
    names = set(re.findall(r"KMSG_EXPORTER_[A-Z_]*[A-Z]", read(page)))
    assert names - {option.variable for option in OPTIONS} == set()


@each_page
def test_every_metric_is_exposed(page: str) -> None:
    known = {definition.name for definition in ALL} | {figure.name for figure in COLLECTOR}
    folders = {path.name for path in TOP.iterdir()}
    instances = {"kmsg_exporter", "kmsg_exporter_bulk", "kmsg_exporter_recorder"}
    functions = {"kmsg_open", "kmsg_read", "kmsg_release"}
    for piece in code(page):
        named = set(re.findall(r"(?<![\w./])kmsg_[a-z_]+[a-z](?![\w/.])", BRACED.sub("", piece)))
        assert named - known - folders - instances - functions == set()


@each_page
def test_every_link_leads_to_a_file(page: str) -> None:
    text = read(page)
    for target in [*re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text), *re.findall(r'<img [^>]*src="([^"]+)"', text)]:
        if not target.startswith(("http://", "https://")):
            assert (TOP / page).parent.joinpath(target).exists(), target


def test_every_metric_and_every_option_stands_in_its_page() -> None:
    assert [one.name for one in ALL if f"| `{one.name}` |" not in read("docs/metrics.md")] == []
    assert [one.flag for one in OPTIONS if f"| `{one.flag}` |" not in read("docs/configuration.md")] == []


def test_the_readme_is_short() -> None:
    shown = re.sub(r"<details>.*?</details>", "", read("README.md"), flags=re.DOTALL)
    assert len(shown.splitlines()) <= 195


def test_what_the_readme_shows_of_why_is_what_why_prints() -> None:
    """docs/commands.md is compared with what is printed; the README leaves lines of it out and says where."""
    shown = re.findall(r"^\$ kmsg-exporter why\n(.*?)```", read("README.md"), re.MULTILINE | re.DOTALL)[0].splitlines()
    printed = re.findall(r"^\$ kmsg-exporter why.*?\n(.*?)```", read("docs/commands.md"), re.MULTILINE | re.DOTALL)[0]
    places = [printed.splitlines().index(line) for line in shown if line != "[...]"]
    assert len(places) == 5
    assert places == sorted(places)


def test_the_readme_counts_the_alerts() -> None:
    rules = read("deploy/prometheus/kmsg-exporter.rules.yaml")
    assert f"{len(re.findall(r'^ +- alert: ', rules, re.MULTILINE))} alerts" in read("README.md")


def test_every_module_that_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py|[a-z_]+/)`", read("docs/architecture.md")))
    assert len(named) > 30
    roots = (TOP, TOP / "kmsg_exporter", TOP / "kmsg_exporter" / "probes")
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_every_source_that_the_readme_gives_is_used_and_none_is_missing() -> None:
    page = read("README.md")
    given = set(re.findall(r"^\[([a-z0-9-]+)\]: https://", page, re.MULTILINE))
    assert given == set(re.findall(r"\]\[([a-z0-9-]+)\]", page))


def anchors(path: Path) -> set[str]:
    """What a link into the page may name: its headings as GitHub makes anchors of them, and those it sets itself."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize(
    "page", [str(path.relative_to(TOP)) for path in sorted(TOP.glob("**/*.md")) if ".venv" not in path.parts]
)
def test_every_link_into_a_page_leads_to_a_place_in_it(page: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", read(page)):
        if not target.startswith(("http://", "https://")):
            path = (TOP / page).parent / target if target else TOP / page
            assert anchor in anchors(path), f"{target}#{anchor}"
