"""Dynamic events: what is written, and what the kernel's two lists are read as."""

from __future__ import annotations

from fake_tracefs import FakeTracefs, Kernel
from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kprobe, Kretprobe, ProbeProfile
from kmsg_exporter.tracefs.files import Tracefs


class Listing(Tracefs):
    """Control files that all say the same."""

    def __init__(self, text: str) -> None:
        self.text = text

    def exists(self, path: str) -> bool:  # noqa: ARG002
        return True

    def read(self, path: str) -> str:  # noqa: ARG002
        return self.text


def test_probes_render_to_the_kernels_text() -> None:
    assert str(Kprobe("kmsg", "clear", "f")) == "p:kmsg/clear f"
    assert str(Kprobe("kmsg", "clear", "f", ("a=%di:s32", "comm=$comm"))) == "p:kmsg/clear f a=%di:s32 comm=$comm"
    assert str(Kretprobe("kmsg", "done", "f", ("ret=$retval:s64",))) == "r256:kmsg/done f ret=$retval:s64"
    assert str(Kretprobe("kmsg", "done", "f", maxactive=16)) == "r16:kmsg/done f"


def test_strangers_probes_are_not_listed() -> None:
    text = (
        "p:bcc/do_it do_it\n"
        "p:kmsg_exporter/ke_a kmsg_open comm=$comm\n"
        "r256:kmsg_exporter/ke_b kmsg_read ret=$retval:s64\n"
        "p:kmsg_exporter2/ke_c kmsg_open\n"
        "p:uprobes/x /bin/bash:0x1000\n"
    )
    assert dynevent.defined(Listing(text), "kmsg_exporter") == {
        "ke_a": "p:kmsg_exporter/ke_a kmsg_open comm=$comm",
        "ke_b": "r256:kmsg_exporter/ke_b kmsg_read ret=$retval:s64",
    }


def test_undefine_leaves_strangers_probes(fake: FakeTracefs) -> None:
    dynevent.define(fake, Kprobe("stranger", "x", "kmsg_open"))
    dynevent.define(fake, Kprobe("ours", "x", "kmsg_open"))
    dynevent.define(fake, Kprobe("ours", "y", "kmsg_read"))
    dynevent.undefine(fake, "ours")
    assert fake.read("kprobe_events") == "p:stranger/x kmsg_open\n"


def test_profile_is_read_by_name() -> None:
    text = (
        "  ke_syslog_enter                                           12               0\n"
        "  ke_devkmsg_read                                 123456789012               7\n"
    )
    assert dynevent.profiles(Listing(text)) == {
        "ke_syslog_enter": ProbeProfile(12, 0),
        "ke_devkmsg_read": ProbeProfile(123456789012, 7),
    }


def test_kernel_without_kprobes_has_no_definitions_and_no_profile(make_fake: type[FakeTracefs]) -> None:
    without = make_fake(Kernel(kprobes=False))
    assert dynevent.defined(without, "kmsg_exporter") == {}
    assert dynevent.profiles(without) == {}


WORD = st.sampled_from(["p", "r256", ":", "/", "kmsg_exporter", " ", "\n", "²", "9" * 5000, "12", "x"])


@given(st.one_of(st.text(max_size=120), st.lists(WORD, max_size=20).map("".join)))
@example("a ² ²\n")
@example("a " + "9" * 5000 + " 1\n")
def test_any_listing_is_read(text: str) -> None:
    for line in dynevent.defined(Listing(text), "kmsg_exporter").values():
        assert line in text
    dynevent.profiles(Listing(text))
