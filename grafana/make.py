#!/usr/bin/env python3
"""make.py: write the dashboards and the alert file anew; with --check, say which of them are not as written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import yaml
from alerts import alert_file
from fleet import fleet
from node import node

HERE: Final = Path(__file__).parent
MADE: Final = "# Made by grafana/make.py: change that, or the Prometheus rules that the texts come from.\n"


def files() -> dict[Path, str]:
    """What belongs in which file."""
    dashboards = {board["uid"]: board for board in (fleet(), node())}
    alerts = yaml.safe_dump(alert_file(dashboards["kmsg-fleet"]), sort_keys=False, width=10_000, allow_unicode=True)
    return {
        **{
            HERE / "dashboards" / f"{uid}.json": json.dumps(board, indent=2) + "\n" for uid, board in dashboards.items()
        },
        HERE / "alerts" / "kmsg-alerts.yaml": MADE + alerts,
    }


def main(arguments: list[str]) -> int:
    """Write, or with --check compare."""
    check = arguments == ["--check"]
    status = 0
    for path, text in files().items():
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.stderr.write(f"{path.name} is not what make.py makes: run it, and commit the file\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
