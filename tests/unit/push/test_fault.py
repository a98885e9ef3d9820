"""Retry-After, and which word an answer gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.push.fault import http_fault, retry_after_seconds

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("86400", 300.0),
        ("9" * 5000, 300.0),
        ("Wed, 21 Oct 2015 07:28:20 GMT", 20.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2035 07:28:20 GMT", 300.0),
        ("-1", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_clamped(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(max_size=60))
def test_any_retry_after_is_a_time_we_can_wait_or_none(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0.0 <= seconds <= 300.0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_these_answers_are_tried_again_soon(status: int) -> None:
    fault = http_fault("http://c/v1/logs", status, "7", NOW)
    assert (fault.reason, fault.retriable, fault.retry_after_seconds) == (f"http_{status}", True, 7.0)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413])
def test_these_answers_are_not_tried_again_soon(status: int) -> None:
    fault = http_fault("http://c/v1/logs", status, "7", NOW)
    assert (fault.reason, fault.retriable, fault.retry_after_seconds) == (f"http_{status}", False, None)


def test_a_status_that_does_not_exist_makes_no_new_reason() -> None:
    assert http_fault("http://c", 799, None, NOW).reason == "http_other"


def test_the_message_says_what_to_do() -> None:
    assert str(http_fault("http://c/v1/logs", 401, None, NOW)) == (
        "cannot push to http://c/v1/logs: HTTP status 401; check the credentials in OTEL_EXPORTER_OTLP_HEADERS, "
        "--push.headers-file or --push.bearer-token-file"
    )
    assert str(http_fault("http://c", 308, None, NOW)) == (
        "cannot push to http://c: HTTP status 308; redirects are not followed: configure the address it points to"
    )
