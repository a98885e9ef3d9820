"""What is built, without a guest: the package under lintian and on a newer Debian, the wheel under pipx."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from shells import shell

from kmsg_exporter.cli import parser
from kmsg_exporter.config import OPTIONS

TOP = Path(__file__).parents[2]
COMPILED = ("httptools/parser/parser", "httptools/parser/url_parser", "uvloop/loop")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
VERSION = re.findall(r'__version__ = "(.*)"', (TOP / "kmsg_exporter" / "__init__.py").read_text())[0]


def run(*command: str | Path, env: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | (env or {}), check=False
    )
    assert done.returncode in allowed, f"{command} ended with {done.returncode}: {done.stdout}"
    return done.stdout


@pytest.fixture(scope="session", autouse=True)
def _machine_is_ready() -> None:
    subprocess.run([TOP / "tests" / "package" / "setup.sh"], check=True)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("package")
    path = run(TOP / "deploy" / "debian" / "build.sh", env={"DIST": str(directory), "PYTHON": sys.executable})
    return Path(path.splitlines()[-1])


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, TOP)
    return next(directory.glob("kmsg_exporter-*-py3-none-any.whl"))


def test_lintian_finds_no_error_and_no_warning(package: Path) -> None:
    assert run("lintian", "--allow-root", "--fail-on=error,warning", package) == ""


@pytest.fixture(scope="session")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package puts below /usr/share."""
    root = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "--extract", package, root)
    return root / "usr" / "share"


def test_manual_page_renders_without_a_warning_and_says_what_help_says(unpacked: Path, tmp_path: Path) -> None:
    page = unpacked / "man" / "man1" / "kmsg-exporter.1.gz"
    shown = run("man", "--warnings", "--local-file", page, env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
    assert "warning" not in shown
    plain = tmp_path / "kmsg-exporter.1"
    plain.write_bytes(gzip.decompress(page.read_bytes()))
    assert run("groff", "-man", "-ww", "-z", "-k", "-Tutf8", plain) == ""
    assert run("lexgrog", plain) == f'{plain}: "kmsg-exporter - who clears and who reads this node\'s kernel log"\n'
    headings = re.findall(r"^([A-Z][A-Z ]+)$", shown, re.MULTILINE)
    expected = "NAME SYNOPSIS DESCRIPTION COMMANDS OPTIONS ENVIRONMENT FILES EXIT-STATUS EXAMPLES SEE-ALSO"
    assert headings == [heading.replace("-", " ") for heading in expected.split()]
    for option in OPTIONS:
        assert re.search(rf"^ +{re.escape(option.flag)}\b", shown, re.MULTILINE), option.flag
    for command in parser().commands:
        assert f"kmsg-exporter {command} [FLAGS]" in shown


def test_bash_completes_commands_flags_and_their_values(unpacked: Path) -> None:
    file = unpacked / "bash-completion" / "completions" / "kmsg-exporter"
    with shell("bash", "--norc", "--noprofile", "-i") as bash:
        bash.shows(f"PS1='ready''> '; source {file}\n", "ready> ")
        shown = bash.shows("kmsg-exporter \t\t", "why ")
        listed = next(line for line in shown.splitlines() if "why" in line)
        assert re.findall(r"[a-z]+", listed) == sorted(parser().commands)
        bash.shows("his\t", "history ")
        bash.shows("--js\t", "--json ")
        bash.shows("\x15kmsg-exporter run --web.max-r\t", "--web.max-requests ")
        bash.shows("\x15kmsg-exporter run --log.level e\t", "--log.level error ")
        bash.shows("\x15kmsg-exporter run --config.file /etc/host\t", "/etc/host")
        bash.shows("name\t", "name ")


def test_zsh_completes_commands_flags_and_their_values(unpacked: Path) -> None:
    folder = unpacked / "zsh" / "vendor-completions"
    with shell("zsh", "-f", "-i") as zsh:
        zsh.shows(f"PS1='> '; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; echo rea''dy\n", "ready")
        zsh.shows("kmsg-exporter his\t", "history ")
        zsh.shows("--js\t", "--json")
        zsh.shows("\x15kmsg-exporter run --web.max-r\t", "--web.max-requests")
        zsh.shows("\x15kmsg-exporter run --log.level e\t", "error")
        shown = zsh.shows("\x15kmsg-exporter \t\t", "why ")
        assert "Print what a clear of the log hides" in shown


def test_fish_completes_commands_flags_and_their_values(unpacked: Path, tmp_path: Path) -> None:
    """By the file that it finds itself; it looks for none of a program that is not there."""
    env = {"XDG_DATA_DIRS": f"{unpacked}:/usr/share", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    env["PATH"] = f"{unpacked.parent / 'bin'}:{os.environ['PATH']}"

    def completed(typed: str) -> list[str]:
        shown = run("fish", "--command", "complete --do-complete $typed", env=env | {"typed": typed})
        return [line.partition("\t")[0] for line in shown.splitlines()]

    assert sorted(completed("kmsg-exporter ")) == sorted(parser().commands)
    assert completed("kmsg-exporter wh") == ["why"]
    assert completed("kmsg-exporter history --js") == ["--json"]
    assert completed("kmsg-exporter run --web.max-r") == ["--web.max-requests"]
    assert completed("kmsg-exporter run --log.level e") == ["error"]
    assert "/etc/hostname" in completed("kmsg-exporter run --config.file /etc/hostn")


def test_package_has_code_that_one_python_only_loads_for_each_python(package: Path) -> None:
    names = [line.split()[5] for line in run("dpkg-deb", "--contents", package).splitlines()]
    libraries = [name.removeprefix("./usr/lib/kmsg-exporter/") for name in names if name.endswith(".so")]
    for_one = Counter(re.sub(r"\.cpython-3(\d+)-.*", r" 3.\1", name) for name in libraries if ".cpython-" in name)
    assert for_one == {f"{name} {python}": 1 for name in COMPILED for python in PYTHONS}
    for_all = ["bcrypt/_bcrypt.abi3.so", "wcwidth/_wcwidth_c.abi3.so"]
    assert sorted(name for name in libraries if ".cpython-" not in name) == for_all
    assert [name for name in names if "__pycache__" in name] == []


def test_package_works_on_the_next_debian_too(package: Path, trixie: Path) -> None:
    (trixie / "srv" / "kmsg-exporter.deb").write_bytes(package.read_bytes())
    run("chroot", trixie, "dpkg", "--install", "/srv/kmsg-exporter.deb")
    assert run("chroot", trixie, "python3", "--version").startswith("Python 3.13.")
    assert run("chroot", trixie, "kmsg-exporter", "--version") == f"kmsg-exporter {VERSION}\n"
    assert "--once" in run("chroot", trixie, "kmsg-exporter", "watch", "--help")
    screen = "import sys; sys.path.insert(0, '/usr/lib/kmsg-exporter'); import kmsg_exporter.watching.screen"
    assert run("chroot", trixie, "python3", "-c", screen) == ""
    assert "--collector.listen-address" in run("chroot", trixie, "kmsg-exporter", "collector", "--help")
    code = "import sys; sys.path.insert(0, '/usr/lib/kmsg-exporter'); import bcrypt, yaml, jinja2, requests, tenacity; "
    code += "import kmsg_exporter.agent.agent; from kmsg_exporter.collector import protocol, server; "
    code += "from uvicorn.loops.auto import auto_loop_factory as loop; "
    code += "print(protocol.protocol().__name__, loop().__module__)"
    assert run("chroot", trixie, "python3", "-W", "error", "-sPc", code) == "LlhttpConnection uvloop\n"
    for library in (trixie / "usr" / "lib" / "kmsg-exporter").rglob("*.cpython-313-*.so"):
        library.unlink()  # as for a Python that the package does not know
    said = run("chroot", trixie, "python3", "-W", "error", "-sPc", code)
    assert said == "H11Connection asyncio.unix_events\n"
    run("chroot", trixie, "dpkg", "--purge", "kmsg-exporter")


@pytest.fixture
def trixie(tmp_path: Path) -> Path:
    """A Debian 13 with Python, unpacked for one test."""
    home = Path(os.environ.get("KMSG_GUEST_HOME", Path.home() / ".cache" / "kmsg-exporter" / "guest"))
    root = tmp_path / "trixie"
    root.mkdir()
    run("tar", "--extract", "--file", home / "package" / "trixie.tar", "--directory", root)
    return root


def test_pipx_installs_the_wheel(wheel: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.write_text("\n".join(re.findall(r"^[a-z0-9.-]+==[^ ;\\]+", (TOP / "requirements.lock").read_text(), re.M)))
    env = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin"), "PIP_CONSTRAINT": str(pins)}
    run("pipx", "install", "--python", sys.executable, f"{wheel}[collector,web]", env=env)
    program = tmp_path / "bin" / "kmsg-exporter"
    assert run(program, "--version") == f"kmsg-exporter {VERSION}\n"
    assert "that the log was emptied, and when" in run(program, "doctor", allowed=(0, 1))
    assert "--collector.listen-address" in run(program, "collector", "--help")
    run("pipx", "uninstall", "kmsg-exporter", env=env)
    assert not program.exists()
