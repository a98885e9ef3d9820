"""One target under atheris: `child.py NAME WORK [libFuzzer's arguments]`; WORK is a folder for seeds and words.

With the path of an input it is run once on that and no more.
"""

from __future__ import annotations

import importlib
import shlex
import sys
from pathlib import Path

import atheris
from target import Target


def main() -> None:
    name, work, *arguments = sys.argv[1:]
    sys.path.append(str(Path(__file__).parents[1] / "fakes"))
    with atheris.instrument_imports(include=["kmsg_exporter", "planted", "yaml"]):
        target: Target = importlib.import_module(name).TARGET
    if not any(Path(argument).is_file() for argument in arguments):
        arguments += _beginnings(target, Path(work))
    mutator = {} if target.mutate is None else {"custom_mutator": target.mutate}
    again = shlex.join((sys.executable, __file__, name, work))  # to merge, libFuzzer starts itself by a shell
    atheris.Setup([again, *arguments], target.one, **mutator)
    atheris.Fuzz()


def _beginnings(target: Target, work: Path) -> list[str]:
    """The target's seeds and words in files, as arguments."""
    seeds, words = work / "seeds", work / "words"
    seeds.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    return [str(seeds), f"-max_len={target.max_bytes}", *([f"-dict={words}"] if target.words else [])]


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in word)


main()
