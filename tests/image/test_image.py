"""What is in the built image, and that it runs."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
IMAGE = "localhost/kmsg-exporter:test"


def buildah(*arguments: str) -> str:
    return subprocess.run(["buildah", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    name = buildah("from", "--pull=never", IMAGE)
    yield name
    buildah("rm", name)


@pytest.fixture(scope="module")
def root(container: str) -> Path:
    return Path(buildah("mount", container))


@pytest.fixture(scope="module")
def image() -> dict[str, object]:
    config: dict[str, object] = json.loads(buildah("inspect", "--type=image", IMAGE))["OCIv1"]
    return config


def in_image(container: str, *command: str) -> str:
    return buildah("run", "--isolation=chroot", container, "--", *command)


def test_labels_say_what_it_is_and_where_from(image: dict[str, object]) -> None:
    config = image["config"]
    assert isinstance(config, dict)
    prefix = "org.opencontainers.image."
    labels = {key.removeprefix(prefix): value for key, value in config["Labels"].items() if key.startswith(prefix)}
    subprocess.run(["git", "cat-file", "-e", labels.pop("revision") + "^{commit}"], cwd=TOP, check=True)
    del labels["description"]
    assert labels == {
        "title": "kmsg-exporter",
        "version": "0.1.0",
        "source": "https://github.com/kmsg-exporter/kmsg-exporter",
        "licenses": "Apache-2.0",
    }


def test_it_runs_the_agent_by_default(image: dict[str, object]) -> None:
    config = image["config"]
    assert isinstance(config, dict)
    assert (config["Entrypoint"], config["Cmd"]) == (["kmsg-exporter"], ["run"])
    assert sorted(config["ExposedPorts"]) == ["10144/tcp", "4318/tcp"]


def test_version_and_help_are_printed(container: str) -> None:
    assert in_image(container, "kmsg-exporter", "--version") == "kmsg-exporter 0.1.0"
    assert in_image(container, "kmsg-exporter", "run", "--help").startswith("usage: kmsg-exporter run")


def test_everything_that_is_locked_is_there_and_nothing_else(container: str) -> None:
    code = "import importlib.metadata as m; print(*sorted(d.metadata['Name'].lower() for d in m.distributions()))"
    lines = (TOP / "requirements.lock").read_text().splitlines()
    locked = [line.split("==")[0].lower() for line in lines if "==" in line]
    found = in_image(container, "/opt/kmsg-exporter/bin/python", "-c", code)
    assert found.replace("_", "-").split() == sorted([*locked, "kmsg-exporter"])


def test_no_installer_and_no_compiler_is_left_inside(root: Path) -> None:
    unwanted = {"pip", "pip3", "wheel", "setuptools", "ensurepip", "gcc", "cc", "ld", "make", "git", "hatchling"}
    assert [path for path in root.rglob("*") if path.name in unwanted] == []
    assert [path.name for path in root.iterdir() if path.name in {"src", "strip.py", "certificates.pem"}] == []


def test_the_projects_files_belong_to_root_and_nobody_writes_them(root: Path) -> None:
    for path in (root / "opt/kmsg-exporter").rglob("*"):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (0, 0), path
        assert stat.S_ISLNK(status.st_mode) or not status.st_mode & 0o222, path


def test_every_module_is_compiled(root: Path) -> None:
    library = root / "opt/kmsg-exporter/lib"
    sources = {path for path in library.rglob("*.py") if path.stat().st_size}
    assert {
        path for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    } == set()
    for module in ("selectors", "sqlite3/dbapi2", "asyncio/events"):
        (source,) = root.glob(f"usr/lib/python3.*/{module}.py")
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")) != [], module


def test_size(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The base is the tests' own: what the project adds to whichever base is what counts."""
    sizes = {path.lstat().st_ino: path.lstat().st_size for path in (root / "opt").rglob("*")}
    mib = sum(sizes.values()) >> 20
    with capsys.disabled():
        layers = json.loads(buildah("images", "--json", IMAGE))[0]["size"]
        print(f"\nimage: {layers}, of which the project and its wheels {mib} MiB")
    assert mib < 30
