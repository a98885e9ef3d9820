"""Hostile text made visible: control, bidirectional and other invisible characters as escapes."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""`a\x1b[31m` for an escape character, `\u202e` for a right-to-left override; printable text as it is."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
