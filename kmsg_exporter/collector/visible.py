"""Hostile text made visible: control, bidirectional and other invisible characters as escapes."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""`a\x1b[31m` for an escape character, `\u202e` for a right-to-left override; printable text as it is."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else escaped(character) for character in text)


def escaped(character: str) -> str:
    r"""One character as `\x1b`, `\u202e` or `\U0001f1e6`."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
