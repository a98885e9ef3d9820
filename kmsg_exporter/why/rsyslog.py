"""Where rsyslog writes the kernel's lines by its rules: the simple ones are followed, the others are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kmsg_exporter.why.expression import evaluate
from kmsg_exporter.why.finding import Roots
from kmsg_exporter.why.names import LEVELS

CONFIG: Final = Path("/etc/rsyslog.conf")
_MAX_FILES: Final = 200
_INPUTS: Final = ("imklog", "imkmsg", "imjournal")
_INCLUDE: Final = re.compile(
    r"\$IncludeConfig\s+(\S+)|include\s*\(.*?file\s*=\s*\"([^\"]+)\".*\)", re.IGNORECASE | re.DOTALL
)
_LOAD: Final = re.compile(r"\$ModLoad\s+(\S+)|module\s*\(.*?load\s*=\s*\"([^\"]+)\".*\)", re.IGNORECASE | re.DOTALL)
_SELECTOR: Final = re.compile(r"([\w*,.;=!]+\.[\w*=!,.;]+)\s+(\S.*)", re.DOTALL)
_PROPERTY: Final = re.compile(r":(\w[\w-]*)\s*,\s*(!?\w+)\s*,\s*\"((?:[^\"\\]|\\.)*)\"\s+(\S.*)", re.DOTALL)
_OBJECT: Final = re.compile(r"(\w+)\s*\(")
_ARGUMENT: Final = re.compile(r"(\w[\w.]*)\s*=\s*\"((?:[^\"\\]|\\.)*)\"")
_IF: Final = re.compile(r"if\s+(.*?)\s+then\b\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_NUMBERS: Final = tuple(map(str, range(len(LEVELS))))
_NAMES: Final = {"error": "err", "warning": "warn", "panic": "emerg"}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the configuration."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Line:
    """A kernel line on its way through the rules."""

    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where a line goes: files and other targets with the rule that says so, where it ends, what was not followed."""

    files: tuple[tuple[str, Place], ...] = ()
    others: tuple[Place, ...] = ()
    stopped: Place | None = None
    unclear: tuple[Place, ...] = ()


@dataclass
class _Way:
    files: list[tuple[str, Place]] = field(default_factory=list)
    others: list[Place] = field(default_factory=list)
    stopped: Place | None = None
    unclear: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Config:
    """The statements in order, the modules that bring kernel lines, and files that could not be read."""

    statements: tuple[Place, ...]
    inputs: tuple[tuple[str, Place], ...]
    unread: tuple[str, ...] = ()

    def route(self, line: Line) -> Route:
        """Where the rules send it."""
        way, matched = _Way(), [False]
        for place in self.statements:
            if way.stopped is not None:
                break
            _statement(place, line, way, matched)
        return Route(tuple(way.files), tuple(way.others), way.stopped, tuple(way.unclear))


def read(roots: Roots) -> Config | None:
    """None where there is no rsyslog.conf."""
    if not roots.at(CONFIG).exists():
        return None
    unread: list[str] = []
    statements = tuple(_read(roots.at(CONFIG), roots, unread, set()))
    inputs = []
    for place in statements:
        if found := _LOAD.match(place.text):
            name = Path(found[1] or found[2]).name.removesuffix(".so")
            if name in _INPUTS:
                inputs.append((name, place))
    return Config(tuple(place for place in statements if not _LOAD.match(place.text)), tuple(inputs), tuple(unread))


def _read(path: Path, roots: Roots, unread: list[str], seen: set[Path]) -> Iterator[Place]:
    if path in seen or len(seen) >= _MAX_FILES:
        return
    seen.add(path)
    try:
        text = path.read_text(errors="replace")
    except OSError as exc:
        unread.append(f"{roots.named(path)}: {exc.strerror}")
        return
    for number, statement in _statements(text):
        if found := _INCLUDE.match(statement):
            pattern = roots.at(found[1] or found[2])
            if pattern.is_dir():
                pattern /= "*"
            for included in sorted(pattern.parent.glob(pattern.name)):
                if included.is_file():
                    yield from _read(included, roots, unread, seen)
        else:
            yield Place(roots.named(path), number, " ".join(statement.split()))


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with its first line: a line, or more where brackets are open or a line ends in a backslash."""
    held, begun = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _without_comment(raw).rstrip()
        if not held and not line.strip():
            continue
        begun = begun if held else number
        held += line.strip()
        if held.endswith("\\"):
            held = held[:-1]
            continue
        if _open(held):
            held += " "
            continue
        yield begun, held
        held = ""
    if held:
        yield begun, held


def _without_comment(line: str) -> str:
    quote = ""
    for index, character in enumerate(line):
        if quote:
            quote = "" if character == quote and line[index - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            return line[:index]
    return line


def _open(text: str) -> bool:
    """Whether a bracket or a condition goes on in the next line. Selectors have neither."""
    if not re.match(r"(?:if|else|module|input|action|ruleset|template|global|include|main_queue|set)\b", text, re.I):
        return False
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", "", text)
    if bare.count("(") > bare.count(")") or bare.count("{") > bare.count("}"):
        return True
    return bool(re.match(r"if\b", bare)) and (not re.search(r"\bthen\b", bare) or bool(re.search(r"\bthen\s*\Z", bare)))


def _statement(place: Place, line: Line, way: _Way, matched: list[bool]) -> None:
    """`matched` is whether the selector before fits: `&` goes on with it."""
    text = place.text
    if text.startswith("&"):
        if matched[0]:
            _act(text[1:].strip(), place, way)
        return
    verdict: bool | None
    if text.startswith("$") or _is_declaration(text):
        return
    if found := _PROPERTY.match(text):
        verdict = _property(found[1], found[2], found[3], line)
        action = found[4]
    elif found := _IF.match(text):
        verdict = evaluate(found[1], text=line.text, level=line.level)
        action = found[2]
        if verdict is not True and re.search(r"\belse\b", action):
            verdict = None  # the other branch is not followed
    elif found := _SELECTOR.match(text):
        verdict = selects(found[1], line.level)
        action = found[2]
    else:
        verdict, action = True, text
    matched[0] = verdict is True
    if verdict is None:
        way.unclear.append(place)
    elif verdict:
        _act(action.strip(), place, way)


def _is_declaration(text: str) -> bool:
    found = _OBJECT.match(text)
    declares = found is not None and found[1].lower() not in ("action", "if", "call")
    return declares or text.lower().startswith(("set ", "unset "))


def _act(action: str, place: Place, way: _Way) -> None:
    for one in _actions(action):
        if way.stopped is not None:
            return
        if one in ("~", "stop"):
            way.stopped = place
        elif one.startswith(("/", "-/")):
            path = one.removeprefix("-").split(";")[0].split()[0]
            way.files.append((path, place))
        elif found := _OBJECT.match(one):
            given = {key.lower(): value for key, value in _ARGUMENT.findall(one)}
            if found[1].lower() == "action" and given.get("type") == "omfile" and "file" in given:
                way.files.append((given["file"], place))
            else:
                way.others.append(place)
        elif one.startswith(("if", "else", "call", "?", "set", "foreach")):
            way.unclear.append(place)
        elif one:
            way.others.append(place)


def _actions(text: str) -> Sequence[str]:
    """One action, or those of a block; what is nested deeper is left whole, and is not followed."""
    if not text.startswith("{"):
        return (text,)
    inner = text[1 : text.rindex("}")] if "}" in text else text[1:]
    parts = re.findall(r"action\s*\((?:[^()\"]|\"(?:[^\"\\]|\\.)*\")*\)|(?:if|else)\b.*|[^\s{}]+", inner, re.DOTALL)
    return tuple(parts)


def selects(selector: str, level: int) -> bool | None:
    """Whether kern.LEVEL fits `kern.*;*.!=info;mail.none`; later parts correct earlier ones. None: not understood."""
    verdict = False
    for part in selector.split(";"):
        facilities, _, priority = part.strip().rpartition(".")
        if not {"*", "kern"} & {name.strip().lower() for name in facilities.split(",")}:
            continue
        negated, priority = priority.startswith("!"), priority.removeprefix("!")
        exactly, priority = priority.startswith("="), priority.removeprefix("=").lower()
        if priority == "none":
            verdict = False
            continue
        priority = _NAMES.get(priority, LEVELS[int(priority)] if priority in _NUMBERS else priority)
        if priority == "*":
            fits = True
        elif priority in LEVELS:
            fits = level == LEVELS.index(priority) if exactly else level <= LEVELS.index(priority)
        else:
            return None
        if fits:
            verdict = not negated
    return verdict


def _property(name: str, operation: str, value: str, line: Line) -> bool | None:
    subject = {
        "msg": f" {line.text}",
        "rawmsg": line.text,
        "programname": "kernel",
        "syslogtag": "kernel:",
        "syslogfacility-text": "kern",
        "syslogfacility": "0",
        "syslogseverity": str(line.level),
    }.get(name.lower())
    negated, operation = operation.startswith("!"), operation.removeprefix("!").lower()
    if subject is None:
        return None
    value = re.sub(r"\\(.)", r"\1", value)
    if name.lower() in ("msg", "rawmsg") and operation in ("isequal", "startswith"):
        # where a line begins depends on what reads it: imklog leaves the kernel's time before the text
        return None if value.strip() in subject else negated
    if operation == "contains":
        verdict = value in subject
    elif operation == "isequal":
        verdict = value == subject
    elif operation == "startswith":
        verdict = subject.startswith(value)
    else:
        return None
    return verdict != negated
