"""requests without what it does not need here."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from kmsg_exporter.push.lean import lean_requests
session = lean_requests()()
session.close()
print(type(session).__name__, "charset_normalizer" in sys.modules)
import charset_normalizer
print(callable(charset_normalizer.from_bytes))
"""


def test_the_guesser_of_encodings_is_not_loaded_and_stays_there_for_others() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=30
    )

    assert (done.stdout, done.stderr) == ("Session False\nTrue\n", "")
