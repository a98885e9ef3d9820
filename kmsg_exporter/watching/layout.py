"""The screen as lines of styled text, for any number of columns and rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.watching import details, words
from kmsg_exporter.watching.cells import cut, fit, shown, width
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.snapshot import Snapshot
from kmsg_exporter.watching.users import User
from kmsg_exporter.why import moment

_T = TypeVar("_T")

# (style, text); the styles are named in `screen.PALETTE`
Line = list[tuple[str, str]]

_BAR: Final = 20
_ROOMY: Final = 20  # so many rows have room for what is said beside
_WHO: Final = 20
_HID: Final = 20
_CHAIN: Final = 10
_EXE: Final = 14
_COMM: Final = 15


@dataclass(frozen=True, slots=True)
class _Column:
    """`family` is what it counts; `order` is the order that it is marked for."""

    title: str
    columns: int
    text: Callable[[User], str]
    family: str = ""
    order: str = ""


def _total(family: str) -> Callable[[User], str]:
    return lambda user: words.number(user[family].total)


def _speed(family: str) -> Callable[[User], str]:
    return lambda user: words.rate(user[family])


# as they stand beside each other between comm and exe
_COLUMNS: Final = (
    _Column("CLEARS", 6, _total("clears"), "clears", "clears"),
    _Column("REFUSED", 7, _total("denied"), "denied"),
    _Column("READS/s", 7, _speed("reads"), "reads", "reads"),
    _Column("READS", 6, _total("reads"), "reads"),
    _Column("BYTES/s", 7, _speed("bytes"), "bytes", "bytes"),
    _Column("OPENS", 5, _total("opens"), "opens"),
    _Column("WRITES/s", 8, _speed("writes"), "writes", "writes"),
    _Column("HOLDS", 10, words.holds),
)
# as they are taken while there is room
_WORTH: Final = ("CLEARS", "READS/s", "HOLDS", "BYTES/s", "REFUSED", "WRITES/s", "READS", "OPENS")


def screen(controls: Controls, *, columns: int, rows: int, node: str) -> list[Line]:
    """Exactly so many rows. It tells `controls` how long a page is, and where reading ends."""
    head = [_title(controls, columns, node)]
    foot = [_keys(controls, columns)]
    if controls.opened:
        body = _opened(controls, columns, rows - len(head) - len(foot))
    else:
        head += _state(controls, columns, roomy=rows >= _ROOMY)
        body = _lists(controls, columns, max(0, rows - len(head) - len(foot)))
    return ([*head, *body][: max(0, rows - 1)] + foot)[:rows]


def _title(controls: Controls, columns: int, node: str) -> Line:
    when = "" if controls.shown is None else words.stamp(controls.shown.unix)
    right = f"{'PAUSED  ' if controls.paused else ''}{when} "
    return [("head", fit(f" kmsg-exporter watch  {node}", columns - len(right)) + right)]


def _state(controls: Controls, columns: int, *, roomy: bool) -> list[Line]:
    now = controls.shown
    if now is None or now.snapshot is None:
        note = controls.notes[-1][1] if controls.notes else "nothing is known yet"
        return [[("", cut(f" {note}", columns))]]
    lines: list[Line] = []
    if roomy:
        lines.append([("label", " via  "), ("" if now.fresh else "alert", cut(now.source, columns - 6))])
    empty = now.snapshot.ring.empty
    style = "alert" if empty else "" if empty is None else "good"
    lines.append([("label", " log  "), (style, cut(words.log_state(now.snapshot), columns - 6))])
    lines.append([("label", " ring "), *_bar(now.snapshot, columns), ("", "")])
    used = sum(width(text) for _, text in lines[-1])
    lines[-1].append(("", cut(words.fill(now.snapshot.ring), max(0, columns - used))))
    lines.append([("label", "      "), ("", cut(words.emptied(now.snapshot, now.unix), columns - 6))])
    said = [text for _, text in controls.notes[-1:] if roomy and now.source not in text]
    if roomy and (about := words.about(now)):
        lines.append([("dim", cut(f" not all: {about}", columns))])
    return [*lines, *([("note", cut(f" {text}", columns))] for text in said)]


def _bar(now: Snapshot, columns: int) -> Line:
    share = words.share(now.ring)
    if share is None or columns < 3 * _BAR:
        return []
    cells = min(_BAR, columns // 6)
    full = min(cells, max(round(share * cells), int(share > 0)))
    return [("", "["), ("bar", "#" * full), ("dim", "-" * (cells - full)), ("", "] ")]


def _lists(controls: Controls, columns: int, rows: int) -> list[Line]:
    events = controls.events()
    below = min(rows // 3 + 1, max(2, len(events) + 1)) if rows >= 5 else 0
    lines = _users(controls, columns, rows - below)
    lines += [[] for _ in range(rows - below - len(lines))]
    return lines + (_events(controls, events, columns, below) if below else [])


def _users(controls: Controls, columns: int, rows: int) -> list[Line]:
    if rows < 1:
        return []
    found = controls.users()
    taken, exe = _taken(columns)
    title: Line = [(_title_style(controls, "name"), fit("COMM", _COMM))]
    for column in taken:
        cell = fit(column.title, column.columns, right=bool(column.family))
        title.append((_title_style(controls, column.order), f" {cell}"))
    if exe:
        title.append(("columns", f"  {fit('EXE', exe - 2)}"))
    lines = [_across(title, columns, "columns")]
    at = controls.user_at(found)
    controls.page = max(1, rows - 1)
    for place, user in _window(found, at, rows - 1):
        line = _user(controls, user, taken, exe)
        lines.append(_selected(line, columns) if place == at and controls.pane == "users" else line)
    if not found:
        what = f"nobody fits {controls.wanted!r}" if controls.wanted else "nobody has used the log yet"
        lines.append([("dim", cut(what, columns))])
    return lines[:rows]


def _user(controls: Controls, user: User, taken: Sequence[_Column], exe: int) -> Line:
    now = None if controls.shown is None else controls.shown.snapshot
    line: Line = [("alert" if user["clears"].rate else "", fit(user.comm or "?", _COMM))]
    for column in taken:
        seen = not column.family or words.seen(now, column.family) or user[column.family].total
        text = column.text(user) if seen else "-"
        style = "" if not column.family else "alert" if column.family == "clears" and user["clears"].total else ""
        line.append(
            (style if text not in ("0", "-") else "dim", f" {fit(text, column.columns, right=bool(column.family))}")
        )
    if exe:
        line.append(("", f"  {fit(user.exe or '-', exe - 2)}"))
    return line


def _taken(columns: int) -> tuple[list[_Column], int]:
    """The columns that there is room for, and how many are left for the executable."""
    left = columns - _COMM
    exe = _EXE + 2 if columns >= 60 else 0
    by_title = {column.title: column for column in _COLUMNS}
    taken = []
    for title in _WORTH:
        need = by_title[title].columns + 1
        if need > left - exe:
            break
        taken.append(title)
        left -= need
    return [column for column in _COLUMNS if column.title in taken], left if exe else 0


def _events(controls: Controls, events: Sequence[Emptied], columns: int, rows: int) -> list[Line]:
    title = f"LAST EMPTYINGS{'' if len(events) < rows else f' ({len(events)})'}"
    lines: list[Line] = [_across([("columns", title)], columns, "columns")]
    if not events:
        lines.append([("dim", cut("none that fits" if controls.wanted else "none is known", columns))])
    at = controls.event_at(list(events))
    unix = 0.0 if controls.shown is None else controls.shown.unix
    for place, event in _window(events, at, rows - 1):
        line = _event(event, columns, unix)
        lines.append(_selected(line, columns) if place == at and controls.pane == "events" else line)
    return lines[:rows]


def _event(event: Emptied, columns: int, unix: float) -> Line:
    day = moment.local(event.time_unix_ns / 1e9)
    when = day[11:] if day[:10] == moment.local(unix)[:10] else f"{day[5:10]} {day[11:16]}"
    left = columns - 13
    if event.number("kmsg.since_unix_nano") is not None:
        when = f"<{when}"  # some time before: its details say since when
    who = min(_WHO, left // 2)
    line: Line = [("", fit(when, 12)), ("", f"{fit(words.who(event), who)} ")]
    hid = min(_HID, left - who)
    line.append(("alert" if event.errors else "", fit(words.hid(event), hid)))
    if left - who - hid > _CHAIN:
        line.append(("", cut(f"  {event.chain}", left - who - hid)))
    return line


def _opened(controls: Controls, columns: int, rows: int) -> list[Line]:
    texts = details.lines(controls, columns - 2)
    controls.page = max(1, rows - 1)
    controls.scroll = min(controls.scroll, max(0, len(texts) - rows))
    found: list[Line] = [[("", f" {text}")] for text in texts[controls.scroll : controls.scroll + rows]]
    return found + [[] for _ in range(rows - len(found))]


def _keys(controls: Controls, columns: int) -> Line:
    if controls.typing:
        return [("head", fit(f" filter: {shown(controls.wanted)}_   enter keeps it, esc shows all", columns))]
    if controls.opened:
        return [("head", fit(" esc back  up down scroll  p pause  q quit", columns))]
    order = f"{controls.order}{' reversed' if controls.reverse else ''}"
    wanted = f"/ filter:{shown(controls.wanted)}" if controls.wanted else "/ filter"
    keys = (f"s sort:{order}", wanted, "p pause", "enter details", "tab", "? help")
    text = "  ".join((" q quit", *keys))
    if width(text) > columns:
        text = f" q  s:{order}  /{shown(controls.wanted)}  p  enter  tab  ?"
    return [("head", fit(text, columns))]


def _window(found: Sequence[_T], at: int, rows: int) -> list[tuple[int, _T]]:
    """So many of them that the selected one is among them, with their places."""
    first = max(0, min(at - rows // 2, len(found) - rows))
    return list(enumerate(found))[first : first + max(0, rows)]


def _title_style(controls: Controls, order: str) -> str:
    return "sorted" if order and order == controls.order else "columns"


def _across(line: Line, columns: int, style: str) -> Line:
    return [*line, (style, " " * (columns - sum(width(text) for _, text in line)))]


def _selected(line: Line, columns: int) -> Line:
    return [("selected", fit("".join(text for _, text in line), columns))]
