"""Draw docs/watch.png: the screen with sample data, line by line as it is laid out; Chromium makes the picture."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from xml.sax.saxutils import escape

from fake_moments import AFTER, BEFORE, EVENTS, INTRUDER, emptying, moment, snapshot
from wcwidth import wcswidth

from kmsg_exporter.watching import layout
from kmsg_exporter.watching.controls import Controls

TOP: Final = Path(__file__).parents[2]
COLUMNS, ROWS = 104, 20
_CELL, _LINE, _EDGE = 8, 18, 14
# (colour of the text, of what is behind it, weight)
_LOOKS: Final = {
    "": ("#d6d6d6", "", 400),
    "head": ("#101418", "#c3c7cb", 400),
    "columns": ("#0b1c1e", "#3a9aa3", 400),
    "sorted": ("#ffffff", "#3a9aa3", 700),
    "selected": ("#14120a", "#d8b94a", 400),
    "alert": ("#ff6b5e", "", 700),
    "good": ("#6cc070", "", 400),
    "bar": ("#3a9aa3", "", 400),
    "label": ("#ffffff", "", 700),
    "note": ("#d8b94a", "", 400),
    "dim": ("#80868c", "", 400),
}


def screen() -> list[layout.Line]:
    """A node where cron's script has just cleared the log; nobody hostile, for a README."""
    plain = {key: value for key, value in AFTER.items() if key[1] != INTRUDER}
    before = {key: value for key, value in BEFORE.items() if key[1] != INTRUDER}
    by_hand = emptying(
        1,
        21_000.0,
        pid=7712,
        ancestors=("7699 bash /usr/bin/bash", "7690 sshd /usr/sbin/sshd"),
        origin="sshd",
        hidden=1187,
        errors=0,
    )
    now = replace(
        moment(), snapshot=snapshot(plain, seconds=1.0), before=snapshot(before), emptyings=(*EVENTS[:2], by_hand)
    )
    controls = Controls()
    controls.take(now)
    return layout.screen(controls, columns=COLUMNS, rows=ROWS, node="node-7")


def drawn(lines: list[layout.Line]) -> str:
    """Each text in its place and stretched to it, so that any monospaced font will do."""
    width, height = COLUMNS * _CELL + 2 * _EDGE, len(lines) * _LINE + 2 * _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="kmsg-exporter watch, with sample data">',
        '<rect width="100%" height="100%" fill="#14181c"/>',
        '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="13.3" '
        'xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        column = 0
        for style, text in line:
            colour, behind, weight = _LOOKS[style]
            cells = wcswidth(text)
            x, y = _EDGE + column * _CELL, _EDGE + row * _LINE
            if behind:
                parts.append(f'<rect x="{x}" y="{y}" width="{cells * _CELL}" height="{_LINE}" fill="{behind}"/>')
            if text.strip():
                bold = f' font-weight="{weight}"' if weight != 400 else ""
                parts.append(
                    f'<text x="{x}" y="{y + 13}" fill="{colour}"{bold} textLength="{cells * _CELL}" '
                    f'lengthAdjust="spacingAndGlyphs">{escape(text).replace(" ", "&#160;")}</text>'
                )
            column += cells
    return "\n".join([*parts, "</g>", "</svg>", ""])


def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    lines = screen()
    with TemporaryDirectory() as folder:
        page = Path(folder) / "watch.svg"
        page.write_text(drawn(lines))
        size = f"{COLUMNS * _CELL + 2 * _EDGE},{len(lines) * _LINE + 2 * _EDGE}"
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--force-device-scale-factor=2", f"--window-size={size}", f"--user-data-dir={folder}/profile"),
                *(f"--screenshot={TOP / 'docs' / 'watch.png'}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


if __name__ == "__main__":
    main()
