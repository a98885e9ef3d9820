"""Fuzzes decoders, each in a process of its own, and says how many inputs they took and what was found."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_CORPUS = _HERE / "corpus"
_STUCK_SECONDS = 120  # beside the time that was given


@dataclass(frozen=True)
class Outcome:
    """How one target went. `failure` is what libFuzzer wrote, "" when nothing was found."""

    name: str
    executions: int
    coverage: int
    peak_mib: int
    failure: str


def main() -> int:
    """0 when nothing was found, 1 when something was: it is shown, and the input is left in `findings`."""
    options = _options()
    options.findings.mkdir(exist_ok=True)
    names = options.target or sorted(path.stem for path in (_HERE / "targets").glob("[a-z]*.py"))
    print(f"{'target':<16}{'executions':>12}{'edges':>8}{'MiB':>6}", flush=True)
    failed = False
    with ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(lambda name: _fuzz(name, options), names):
            row = f"{outcome.name:<16}{outcome.executions:>12}{outcome.coverage:>8}{outcome.peak_mib:>6}"
            print(row + ("  FOUND SOMETHING" if outcome.failure else ""), flush=True)
            failed = failed or bool(outcome.failure)
            print(outcome.failure, end="", file=sys.stderr, flush=True)
    return int(failed)


def _fuzz(name: str, options: argparse.Namespace) -> Outcome:
    kept = _CORPUS / name
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found"
        found.mkdir()
        limits = (
            f"-max_total_time={options.seconds}",
            f"-timeout={options.input_seconds}",
            f"-rss_limit_mb={options.mib}",
            f"-seed={options.seed}",
            f"-artifact_prefix={options.findings / name}-",
            "-print_final_stats=1",
        )
        corpus = [str(found), *([str(kept)] if kept.is_dir() else [])]
        code, log = _child(name, Path(folder), options.seconds, *limits, *corpus)
        if code == 0 and options.keep:
            _keep(name, found)
        executions = _number(r"number_of_executed_units: +(\d+)", log)
        return Outcome(
            name,
            executions,
            _number(r".* cov: (\d+)", log),
            _number(r"peak_rss_mb: +(\d+)", log),
            "" if code == 0 and executions else f"{_told(log)}\n{name} ended with {code}\n",
        )


def _child(name: str, work: Path, seconds: int, *arguments: str) -> tuple[int, str]:
    module = name if "." in name else f"targets.{name}"
    command = [sys.executable, str(_HERE / "child.py"), module, str(work), *arguments]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + _STUCK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as exc:
        return -9, (exc.stdout or b"").decode("utf-8", "replace")
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _keep(name: str, found: Path) -> None:
    """The fewest inputs that reach all that the kept and the found ones reach become the corpus."""
    with tempfile.TemporaryDirectory() as folder:
        fewest = Path(folder) / "fewest"
        fewest.mkdir()
        kept = _CORPUS / name
        kept.mkdir(parents=True, exist_ok=True)
        code, log = _child(name, Path(folder), 600, "-merge=1", "-use_counters=0", str(fewest), str(kept), str(found))
        if code or not any(fewest.iterdir()):
            raise RuntimeError(f"{name}: the corpus could not be made small:\n{_told(log)}")
        shutil.rmtree(kept)
        shutil.copytree(fewest, kept)


def _number(pattern: str, log: str) -> int:
    return int((re.findall(pattern, log) or ["0"])[-1])


def _told(log: str) -> str:
    """The log from the failure on, without libFuzzer's progress."""
    lines = [line for line in log.splitlines() if not re.match(r"#\d+\t|stat::", line)]
    return "\n".join(lines[-60:])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", help="a file of targets/, by its name without .py; all of them by default")
    parser.add_argument("--seconds", type=int, default=2, help="for each target")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--seed", type=int, default=1, help="0 for another one each time")
    parser.add_argument("--input-seconds", type=int, default=10, help="an input that takes longer hangs")
    parser.add_argument("--mib", type=int, default=400, help="a target that takes more memory leaks")
    parser.add_argument("--findings", type=Path, default=_HERE / "findings", help="where inputs that fail are put")
    parser.add_argument("--keep", action="store_true", help="take what was found into the corpus, and make it small")
    return parser.parse_args()


sys.exit(main())
