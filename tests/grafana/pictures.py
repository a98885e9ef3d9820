#!/usr/bin/env python3
"""Draw docs/dashboard-fleet.png and docs/dashboard-node.png: the sample fleet in a real Prometheus, and Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from board_file import BOARDS, GRAFANA, Range, View, chosen
from render import page
from sample import STEP_SECONDS, openmetrics
from servers import prometheus

DOCS = GRAFANA.parent / "docs"
PICTURES = {"dashboard-fleet": ("kmsg-fleet", {}), "dashboard-node": ("kmsg-node", {"node": "gpu-1"})}
HOURS = 24


def photograph(html: Path, picture: Path) -> None:
    """The whole page, as high as it is."""
    found = re.search(r'<main style="height: (\d+)px"', html.read_text())
    assert found
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: run tests/grafana/setup.sh --pictures")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={picture}"]
    command += [f"--window-size=1208,{int(found[1]) + 56}", f"--user-data-dir={html.parent / 'profile'}", html.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> None:
    """Make the sample's blocks, start Prometheus on them, draw."""
    end = time.time() // STEP_SECONDS * STEP_SECONDS
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "sample").write_text(openmetrics(end))
        blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(home / "sample"), str(home / "data")]
        subprocess.run(blocks, check=True, stdout=subprocess.DEVNULL, timeout=300)
        with prometheus(home, "data", "scrape_configs: []\n") as server:
            look = Range(end - HOURS * 3600, end, STEP_SECONDS)
            for picture, (board, values) in PICTURES.items():
                html = home / f"{picture}.html"
                view = View(server, look, chosen(BOARDS[board], server, look)).on(**values)
                html.write_text(page(BOARDS[board], view))
                photograph(html, DOCS / f"{picture}.png")
                print(DOCS / f"{picture}.png")


if __name__ == "__main__":
    main()
