"""requests without its guesser of encodings, which takes 3 MiB."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import requests

_GUESSER: Final = "charset_normalizer"


def lean_requests() -> type[requests.Session]:
    """Import requests if nobody has yet; its Session. `Response.text` would fail: nothing here reads an answer as text.

    requests imports the guesser only to have it at hand; an empty module of that name and a version it likes will do.
    """
    stubbed = not {"requests", _GUESSER} & set(sys.modules)
    if stubbed:
        stub = ModuleType(_GUESSER)
        stub.__dict__["__version__"] = "3.0.0"
        sys.modules[_GUESSER] = stub
    try:
        from requests import Session
    finally:
        if stubbed:
            del sys.modules[_GUESSER]
    return Session
