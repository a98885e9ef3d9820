"""Certificates of the tests' own, made by openssl."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Issue = Callable[[str], None]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.crt and ca.key."""
    folder = tmp_path_factory.mktemp("authority")
    subject = ("-subj", "/CN=tests", "-addext", "keyUsage=critical,keyCertSign")
    _openssl(folder, "req", "-x509", "-newkey", "ec", *_EC, "-nodes", "-keyout", "ca.key", "-out", "ca.crt", *subject)
    return folder


@pytest.fixture
def issue(authority: Path, tmp_path: Path) -> Issue:
    """Writes NAME.crt and NAME.key for 127.0.0.1 into the test's folder."""

    def make(name: str) -> None:
        extensions = tmp_path / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\n")
        request = ("req", "-newkey", "ec", *_EC, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        _openssl(tmp_path, *request, "-subj", f"/CN={name}")
        signed_by = ("-CA", str(authority / "ca.crt"), "-CAkey", str(authority / "ca.key"), "-CAcreateserial")
        what = ("-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", str(extensions))
        _openssl(tmp_path, "x509", "-req", *what, *signed_by, "-days", "2")

    return make


_EC = ("-pkeyopt", "ec_paramgen_curve:P-256")


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], check=True, cwd=folder, capture_output=True)
