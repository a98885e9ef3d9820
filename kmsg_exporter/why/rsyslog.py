"""Where rsyslog writes the kernel's lines by its rules: the simple ones are followed, the others are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kmsg_exporter.why.expression import evaluate
from kmsg_exporter.why.files import Files, Place
from kmsg_exporter.why.finding import Roots
from kmsg_exporter.why.names import LEVELS
from kmsg_exporter.why.statements import read_statements

CONFIG: Final = Path("/etc/rsyslog.conf")
_INPUTS: Final = ("imklog", "imkmsg", "imjournal")
_LOAD: Final = re.compile(r"\$ModLoad\s+(\S+)|module\s*\(.*?load\s*=\s*\"([^\"]+)\".*\)", re.IGNORECASE | re.DOTALL)
_RULESET: Final = re.compile(r"\$RuleSet\s+(\S+)", re.IGNORECASE)
_BLOCK: Final = re.compile(r"[!+-]\s*(.*)", re.DOTALL)
_SELECTOR: Final = re.compile(r"([\w*,.;=!]+\.[\w*=!,.;]+)\s+(\S.*)", re.DOTALL)
_PROPERTY: Final = re.compile(r":(\w[\w-]*)\s*,\s*(!?\w+)\s*,\s*\"((?:[^\"\\]|\\.)*)\"\s+(\S.*)", re.DOTALL)
_OBJECT: Final = re.compile(r"(\w+)\s*\(")
_ARGUMENT: Final = re.compile(r"(\w[\w.]*)\s*=\s*\"((?:[^\"\\]|\\.)*)\"")
_IF: Final = re.compile(r"if\s+(.*?)\s+then\b\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_UNFOLLOWED: Final = ("if", "else", "call", "?", "-?", ":omfile:", "$", "set", "foreach")
_NUMBERS: Final = tuple(map(str, range(len(LEVELS))))
_NAMES: Final = {"error": "err", "warning": "warn", "panic": "emerg"}


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
        way, matched, block = _Way(), [False], False
        for place in self.statements:
            if way.stopped is not None:
                break
            if mark := _BLOCK.match(place.text):  # what follows is for a program or host, as in BSD's syslogd
                block = mark[1] not in ("", "*")
            if not block and not mark:
                _statement(place, line, way, matched)
            elif block and not place.text.startswith("$"):
                way.unclear.append(place)
        return Route(tuple(way.files), tuple(way.others), way.stopped, tuple(way.unclear))


def read(roots: Roots) -> Config | None:
    """None where there is no rsyslog.conf."""
    files = Files(roots)
    main = files.text(roots.at(CONFIG))
    if main is None and not files.unread:
        return None
    statements = [] if main is None else list(read_statements(roots.at(CONFIG), main, files))
    inputs = []
    for place in statements:
        if found := _LOAD.match(place.text):
            name = Path(found[1] or found[2]).name.removesuffix(".so")
            if name in _INPUTS:
                inputs.append((name, place))
    return Config(tuple(_default_ruleset(statements)), tuple(inputs), tuple(files.unread))


def _default_ruleset(statements: Iterable[Place]) -> Iterator[Place]:
    """Those that the kernel's lines go through: a $RuleSet before a statement puts it into another one."""
    default = True
    for place in statements:
        if found := _RULESET.match(place.text):
            default = found[1].lower() == "rsyslog_defaultruleset"
        elif default and not _LOAD.match(place.text):
            yield place


def _statement(place: Place, line: Line, way: _Way, matched: list[bool]) -> None:
    """`matched` is whether the selector before fits: `&` goes on with it."""
    text = place.text
    if text.startswith("&"):
        if matched[0]:
            _act(text[1:].strip(), place, way)
        return
    verdict: bool | None
    if text.lower().startswith("$defaultruleset"):
        way.unclear.append(place)
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
        elif one.startswith(_UNFOLLOWED):
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
