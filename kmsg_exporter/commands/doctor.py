"""`kmsg-exporter doctor`: what this node lets the agent see, and what to do about the rest."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict

from kmsg_exporter.commands.checks import Diagnosis, diagnose
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.coverage import COVERAGE

_MARKS = {"ok": "ok  ", "missing": "NO  ", "note": "-   "}
_CONCLUSIONS = {
    0: "Who clears and who reads the kernel log can be named on this node, with the {backend} backend.",
    1: "Only the state of the log can be watched on this node: that it was emptied, not by whom.",
    3: "Nothing can be watched on this node.",
}


def main(config: Config, environ: Mapping[str, str], *, as_json: bool) -> int:
    """Print the findings; the exit code says what can be seen (Diagnosis.exit_code)."""
    with Progress(sys.stderr) as progress:
        diagnosis = diagnose(config, environ, progress)
    emit([_json(diagnosis) if as_json else _text(diagnosis, compat=config.trace_compat_syscalls)])
    return diagnosis.exit_code


def _json(diagnosis: Diagnosis) -> str:
    import json

    backend = diagnosis.backend or "state"
    return (
        json.dumps(
            {
                "backend": diagnosis.backend,
                "ring": diagnosis.ring,
                "exit_code": diagnosis.exit_code,
                "checks": [asdict(check) for check in diagnosis.checks],
                "coverage": {row.what: row.by(backend) for row in COVERAGE},
            },
            indent=2,
        )
        + "\n"
    )


def _text(diagnosis: Diagnosis, *, compat: bool) -> str:
    width = max(len(check.name) for check in diagnosis.checks)
    lines = []
    for check in diagnosis.checks:
        lines.append(f"{_MARKS[check.verdict]} {check.name:{width}}  {check.found}")
        if check.remedy:
            lines.append(f"     {'':{width}}  -> {check.remedy}")
    backend = diagnosis.backend or "state"
    width = max(len(row.what) for row in COVERAGE)
    lines += ["", _CONCLUSIONS[diagnosis.exit_code].format(backend=backend)]
    if diagnosis.exit_code != 3:
        for row in COVERAGE:
            answer = row.by(backend)
            lines.append(f"  {row.what:{width}}  {'yes' if compat and answer.startswith('with') else answer}")
    return "\n".join(lines) + "\n"
