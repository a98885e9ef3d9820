"""Conditions of rsyslog's `if`, as far as they can be told for a kernel line: true, false or not known."""

from __future__ import annotations

import re
from typing import Final

from kmsg_exporter.why.names import LEVELS

_TOKEN: Final = re.compile(
    r"\s*(?:(\()|(\))|(and|or|not)\b|(\$[!.\w-]+)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(\d+)"
    r"|(==|!=|<>|<=|>=|<|>|(?:contains|startswith|contains_i|startswith_i)\b)|(\S))",
    re.IGNORECASE,
)
_DEEPEST: Final = 50


def evaluate(condition: str, *, text: str, level: int) -> bool | None:
    """None where it can't be told: a function, a property that a kernel line's text does not give, wrong grammar."""
    return _Reader(condition, text, level).whole()


class _Reader:
    """Recursive descent, with three values; what is not known stays so unless the rest decides."""

    def __init__(self, condition: str, text: str, level: int) -> None:
        self._tokens = [match for match in _TOKEN.finditer(condition) if match[0].strip()]
        self._at = 0
        self._depth = 0
        self._properties = {
            "$msg": f" {text}",
            "$rawmsg": text,
            "$programname": "kernel",
            "$syslogtag": "kernel:",
            "$syslogfacility-text": "kern",
            "$syslogfacility": "0",
            "$syslogseverity": str(level),
            "$syslogseverity-text": {"warn": "warning"}.get(LEVELS[level], LEVELS[level]),
            "$syslogpriority": str(level),
            "$pri": str(level),
            "$inputname": "imklog",
        }

    def whole(self) -> bool | None:
        try:
            verdict = self._or()
        except (IndexError, ValueError):
            return None
        return verdict if self._at == len(self._tokens) else None

    def _word(self) -> str:
        return self._tokens[self._at][0].strip().lower() if self._at < len(self._tokens) else ""

    def _or(self) -> bool | None:
        verdict = self._and()
        while self._word() == "or":
            self._at += 1
            other = self._and()
            verdict = True if True in (verdict, other) else None if None in (verdict, other) else False
        return verdict

    def _and(self) -> bool | None:
        verdict = self._not()
        while self._word() == "and":
            self._at += 1
            other = self._not()
            verdict = False if False in (verdict, other) else None if None in (verdict, other) else True
        return verdict

    def _not(self) -> bool | None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError
        try:
            if self._word() == "not":
                self._at += 1
                verdict = self._not()
                return None if verdict is None else not verdict
            if self._word() == "(":
                self._at += 1
                verdict = self._or()
                if self._word() != ")":
                    raise ValueError
                self._at += 1
                return verdict
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> bool | None:
        name, operation, value = (self._tokens[self._at + step] for step in range(3))
        if not name[4] or not operation[7] or not (value[5] or value[6]):
            raise ValueError
        self._at += 3
        subject = self._properties.get(name[4].lower())
        wanted = re.sub(r"\\(.)", r"\1", value[5][1:-1]) if value[5] else value[6]
        if subject is None:
            return None
        compared = operation[7].lower()
        if name[4].lower() in ("$msg", "$rawmsg") and compared not in ("contains", "contains_i"):
            # where a line begins depends on what reads it: imklog leaves the kernel's time before the text
            return None if wanted.strip().lower() in subject.lower() else compared in ("!=", "<>")
        match compared:
            case "==":
                return subject == wanted
            case "!=" | "<>":
                return subject != wanted
            case "contains":
                return wanted in subject
            case "contains_i":
                return wanted.lower() in subject.lower()
            case "startswith":
                return subject.startswith(wanted)
            case "startswith_i":
                return subject.lower().startswith(wanted.lower())
            case _ if subject.isdecimal() and wanted.isdecimal():
                one, other = int(subject), int(wanted)
                return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[compared]
        return None
