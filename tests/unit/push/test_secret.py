"""Headers from files: taken when they change, never repeated in an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kmsg_exporter.errors import PushError
from kmsg_exporter.push.secret import SecretFiles, merged


def test_lines_are_headers_and_the_token_is_the_authorization(tmp_path: Path) -> None:
    headers, token = tmp_path / "headers", tmp_path / "token"
    headers.write_text("# ours\nX-Tenant: core: os\n\nauthorization: Basic abc\n")
    token.write_text("t0ken\n")
    assert SecretFiles(headers, None).headers() == {"X-Tenant": "core: os", "authorization": "Basic abc"}
    assert SecretFiles(headers, token).headers() == {"X-Tenant": "core: os", "Authorization": "Bearer t0ken"}
    assert SecretFiles(None, None).headers() == {}


def test_a_file_that_was_rotated_is_read_again_also_behind_a_link(tmp_path: Path) -> None:
    """The kubelet turns a symbolic link."""
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "token"
    link.symlink_to("old")
    secrets = SecretFiles(None, link)
    assert secrets.headers() == {"Authorization": "Bearer old"}
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").replace(link)
    assert secrets.headers() == {"Authorization": "Bearer new"}


def test_a_file_that_did_not_change_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    secrets = SecretFiles(None, token)
    assert secrets.headers() == {"Authorization": "Bearer one"}
    monkeypatch.setattr(Path, "open", None)
    assert secrets.headers() == {"Authorization": "Bearer one"}


def test_a_file_that_was_changed_in_place_is_read_again_though_it_looks_as_before(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    secrets, before = SecretFiles(None, token), token.stat()
    assert secrets.headers() == {"Authorization": "Bearer one"}
    while token.stat().st_ctime_ns == before.st_ctime_ns:  # the kernel's clock for files is a coarse one
        token.write_text("two")
        os.utime(token, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert secrets.headers() == {"Authorization": "Bearer two"}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(PushError, match=r"token can't be read \(it is no file\)"):
        SecretFiles(None, tmp_path / "token").headers()


def test_a_file_that_is_gone_is_looked_for_again(tmp_path: Path) -> None:
    secrets = SecretFiles(None, tmp_path / "token")
    with pytest.raises(PushError) as caught:
        secrets.headers()
    assert str(caught.value) == (
        f"cannot push: {tmp_path / 'token'} can't be read (No such file or directory); "
        "nothing is sent without it; it is looked at again at each try"
    )
    assert (caught.value.reason, caught.value.retriable) == ("secret", True)
    (tmp_path / "token").write_text("there")
    assert secrets.headers() == {"Authorization": "Bearer there"}


@pytest.mark.parametrize("content", ["", "two s3cret", "s3cret\nmore", "s3cr\xe4t", "s3cret\x00", "s3cret" * 20_000])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(PushError, match=str(tmp_path / "token")) as caught:
        SecretFiles(None, tmp_path / "token").headers()
    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize("line", ["s3cret", ": s3cret", "s3 cret: x", "X-A:", "X-A: s3cret\x01", "s3cret : x"])
def test_what_is_no_header_is_refused_by_its_line_and_not_repeated(tmp_path: Path, line: str) -> None:
    (tmp_path / "headers").write_text(f"X-Good: 1\n{line}\n")
    with pytest.raises(PushError, match="line 2 is not Name: value") as caught:
        SecretFiles(tmp_path / "headers", None).headers()
    assert "s3" not in str(caught.value)


def test_the_last_source_of_a_header_wins_whatever_its_capitals() -> None:
    assert merged({"a": "1", "B": "2"}, {"A": "3"}, {"b": "4"}) == {"A": "3", "b": "4"}
