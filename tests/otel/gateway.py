"""The real Collector on the shipped files, and what it has written into its file."""

from __future__ import annotations

import json
import math
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from process import Program, free_port

SHIPPED = Path(__file__).parents[2] / "deploy" / "otel-collector"

_BEGINS = '{"resourceLogs":'


class Gateway(Program):
    """`gateway.yaml` with other shipped files; `settings` are the variables that they name."""

    def __init__(
        self, otelcol: Path, folder: Path, files: Sequence[str | Path], certificates: Path, settings: Mapping[str, str]
    ) -> None:
        self.port, health, metrics = free_port(), free_port(), free_port()
        self.file = folder / "events.jsonl"
        self._health, self._metrics = health, metrics
        known = {
            "KMSG_GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "KMSG_GATEWAY_HEALTH": f"127.0.0.1:{health}",
            "KMSG_GATEWAY_METRICS_PORT": str(metrics),
            "KMSG_GATEWAY_QUEUE": str(folder / "queue"),
            "KMSG_GATEWAY_CERT": str(certificates / "gateway.crt"),
            "KMSG_GATEWAY_KEY": str(certificates / "gateway.key"),
            "KMSG_GATEWAY_CLIENT_CA": str(certificates / "ca.crt"),
            "KMSG_GATEWAY_TOKENS": str(certificates / "tokens"),
            "KMSG_FILE_PATH": str(self.file),
        }
        words = [word for name in ("gateway.yaml", *files) for word in ("--config", SHIPPED / name)]
        path = {"PATH": os.environ["PATH"]}
        super().__init__(
            [otelcol, *words], folder / "gateway.log", environ={**path, **known, **settings}, ready=self._healthy
        )

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/v1/logs"

    def metric(self, name: str) -> float:
        """The sum of one of its own metrics over all labels; not a number when it has no such metric yet."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        values = [float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        return sum(values) if values else math.nan

    def records(self) -> list[dict[str, Any]]:
        """Every record in its file, in order, repetitions too."""
        return file_records(self.file)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def file_records(path: Path) -> list[dict[str, Any]]:
    """The records of a file of OTLP/JSON lines, and of those that it was rotated into."""
    files = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}")) + [path] * path.exists()
    return [record for one in files for line in one.read_text().splitlines() for record in line_records(line)]


def line_records(line: str) -> list[dict[str, Any]]:
    """The records of one OTLP/JSON request, each with its resource's attributes.

    None of one that a kill has cut: the Collector that is started anew writes the next one behind it, on the same line.
    """
    try:
        request = json.loads(line[max(0, line.rfind(_BEGINS)) :])
    except ValueError:
        return []
    return [
        {"resource": resource_logs["resource"]["attributes"], **record}
        for resource_logs in request["resourceLogs"]
        for scope_logs in resource_logs["scopeLogs"]
        for record in scope_logs["logRecords"]
    ]


def uid(record: Mapping[str, Any]) -> str:
    """Its log.record.uid."""
    found = [pair["value"]["stringValue"] for pair in record["attributes"] if pair["key"] == "log.record.uid"]
    assert len(found) == 1, record
    text: str = found[0]
    return text
