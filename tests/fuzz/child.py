"""One target under atheris: `child.py NAME WORK [libFuzzer's arguments]`; WORK is a folder for seeds and words."""

from __future__ import annotations

import importlib
import shlex
import sys
from pathlib import Path

import atheris


def main() -> None:
    name, work, *arguments = sys.argv[1:]
    sys.path.append(str(Path(__file__).parents[1] / "fakes"))
    with atheris.instrument_imports(include=["kmsg_exporter", "planted", "yaml"]):
        target = importlib.import_module(name).TARGET
    seeds = Path(work) / "seeds"
    seeds.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)
    arguments += [str(seeds), f"-max_len={target.max_bytes}"]
    if target.words:
        words = Path(work) / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        arguments.append(f"-dict={words}")
    mutator = {} if target.mutate is None else {"custom_mutator": target.mutate}
    again = shlex.join((sys.executable, __file__, name, work))  # to merge, libFuzzer starts itself by a shell
    atheris.Setup([again, *arguments], target.one, **mutator)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in word)


main()
