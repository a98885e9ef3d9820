"""Names and passwords against bcrypt hashes."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.webconfig.password import Passwords


def basic(plain: bytes) -> str:
    return "Basic " + base64.b64encode(plain).decode()


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(
        {
            "prometheus": bcrypt.hashpw(b"right", bcrypt.gensalt(4)),
            "apache": bcrypt.hashpw(b"right", bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$"),
            "long": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)),
        }
    )


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Which passwords are held against a hash."""
    seen: list[bytes] = []
    check = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        seen.append(password)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return iter([seen])


@pytest.mark.parametrize(
    ("authorization", "allowed"),
    [
        (basic(b"prometheus:right"), True),
        (basic(b"prometheus:right").replace("Basic", "basic"), True),
        (basic(b"apache:right"), True),
        (basic(b"long:" + b"x" * 80), True),
        (basic(b"prometheus:wrong"), False),
        (basic(b"prometheus:"), False),
        (basic(b"prometheus"), False),
        (basic(b"nobody:right"), False),
        (basic(b":right"), False),
        (basic(b"prometheus:right\0"), False),
        ("Bearer right", False),
        ("Basic !", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_right_password_of_a_known_name_is_let_in(
    passwords: Passwords, authorization: str | None, allowed: bool
) -> None:
    assert passwords.allow(authorization) is allowed
    assert passwords.allow(authorization) is allowed


def test_a_verdict_is_remembered(checks: Iterator[list[bytes]]) -> None:
    seen = next(checks)
    passwords = Passwords({"me": bcrypt.hashpw(b"right", bcrypt.gensalt(4))})
    for password in (b"right", b"wrong", b"right", b"wrong"):
        passwords.allow(basic(b"me:" + password))
    assert seen == [b"right", b"wrong"]


def test_verdicts_are_bounded(checks: Iterator[list[bytes]]) -> None:
    seen = next(checks)
    passwords = Passwords({"me": bcrypt.hashpw(b"right", bcrypt.gensalt(4))})
    for number in (*range(129), 0):
        passwords.allow(basic(b"me:%d" % number))
    assert len(seen) == 130


def test_a_name_that_nobody_has_is_held_against_a_hash_too(checks: Iterator[list[bytes]]) -> None:
    seen = next(checks)
    assert not Passwords({}).allow(basic(b"nobody:right"))
    assert seen == [b"right"]


@given(authorization=st.text())
def test_any_header_is_allowed_or_not(authorization: str) -> None:
    assert Passwords({}).allow(authorization) is False


def test_many_wrong_passwords_make_no_right_one_be_checked_again(
    passwords: Passwords, checks: Iterator[list[bytes]]
) -> None:
    seen = next(checks)
    assert passwords.allow(basic(b"prometheus:right"))
    for number in range(200):
        assert not passwords.allow(basic(f"prometheus:{number}".encode()))
    del seen[:]
    assert passwords.verdict(basic(b"prometheus:right")) is True
    assert passwords.verdict(basic(b"prometheus:199")) is False
    assert passwords.verdict(basic(b"prometheus:0")) is None  # forgotten
    assert seen == []
