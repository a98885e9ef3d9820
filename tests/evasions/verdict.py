"""What the agent made of a way, in the table's words; what is none of them is said as it is."""

from __future__ import annotations

from programs import starter
from prometheus_client.parser import text_string_to_metric_families
from scene import LAUNCHER, Done
from ways import AS_RUN, HARMLESS, METRICS, NAMED, NO_EXE, REFUSED, UNNAMED, UNSEEN, WITNESSED

_REFUSALS = (-22, -95, -38)  # EINVAL, EOPNOTSUPP, ENOSYS
_DELETED = " (deleted)"
_WRAPPERS = ("busybox", "sh")


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        self._samples = [(sample.name, sample.labels, sample.value) for sample in samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        return sum(value for _, value in self.samples(name, **labels))

    def samples(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Those that have these labels; a comm that ends with an asterisk is the beginning of one."""
        comm = labels.pop("comm", "*")
        return [
            (has, value)
            for one, has, value in self._samples
            if one == name
            and labels.items() <= has.items()
            and (has.get("comm", "").startswith(comm[:-1]) if comm.endswith("*") else has.get("comm") == comm)
        ]


class Judge:
    """`launcher` is the path of what started each way, `oldest_seq` the number of the oldest record that is left."""

    def __init__(self, metrics: Metrics, *, launcher: str, oldest_seq: int) -> None:
        self._metrics = metrics
        self._above = ((LAUNCHER, launcher), starter())
        self._oldest_seq = oldest_seq

    def verdict(self, done: Done) -> str:
        way = done.way
        if way.kind == "clear":
            return self._of_clear(done)
        more = {"interface": way.interface, "action": "read"} if way.kind == "read" else {}
        counted = self._metrics.samples(METRICS[way.kind], comm=done.comm, **more)
        if not counted:
            if way.kind == "nothing":
                return HARMLESS
            if way.kind == "write":
                overwritten = self._metrics.value("kmsg_overwritten_records_total")
                return WITNESSED if overwritten == self._oldest_seq > done.overwritten else UNSEEN
            return REFUSED if way.kind == "read" and done.result in _REFUSALS else UNSEEN
        times = done.result if way.kind == "write" else 1
        who = _who(done, counted[0][0]["comm"], counted[0][0]["exe"])
        return who if [value for _, value in counted] == [times] and way.kind != "nothing" else f"counted: {counted}"

    def _of_clear(self, done: Done) -> str:
        event = done.event or {}
        if "kmsg.process.comm" not in event and event["body"].count("by an unknown process"):
            return WITNESSED
        comm, exe = event["kmsg.process.comm"], event.get("process.executable.path", "")
        if exe.endswith("…") and done.exe.startswith(exe[:-1]):  # longer than an event may be
            exe = done.exe
        who = _who(done, comm, exe)
        action = {"action": event["kmsg.action"]}
        if self._metrics.value(METRICS["clear"], comm=comm, exe=exe, **action) != 1:
            return f"{who}, but not counted so: {self._metrics.samples(METRICS['clear'], comm=comm)}"
        if who in (NO_EXE, UNNAMED) and not done.way.stays:
            return who
        above = (*done.start.above, *self._above)
        chain = [ancestor.split(" ", 1)[1] for ancestor in event["kmsg.process.ancestors"]]
        if chain[: len(above)] != [f"{comm} {exe}" for comm, exe in above]:
            return f"{who}, but below {chain}"
        origin = next(comm for comm, _ in above if comm not in _WRAPPERS)
        if self._metrics.value("kmsg_clears_by_origin_total", comm=comm, exe=exe, origin=origin) != 1:
            return f"{who}, but not counted under {origin}"
        return who


def _who(done: Done, comm: str, exe: str) -> str:
    expected = done.comm
    called = comm.startswith(expected[:-1]) if expected.endswith("*") else comm == expected
    if called and exe and exe.removesuffix(_DELETED) == done.exe.removesuffix(_DELETED):
        return NAMED
    if called and exe == done.start.run_as:
        return AS_RUN
    if not exe and (called or not comm):
        return NO_EXE if called else UNNAMED
    return f"as {comm!r} {exe!r}, was {expected!r} {done.exe!r}"
