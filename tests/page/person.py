"""Somebody at the browser: keys, colours, a window's width, and what the page has done behind their back."""

from __future__ import annotations

from typing import Any

from browser import Page

_CODES = {"Tab": 9, "Enter": 13}


class Person:
    """Looks at one collector. `url` ends without a slash."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self.url = url

    def look(
        self, path: str, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True
    ) -> None:
        """Open a page in a window of this size, whole and with its scripts run."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        here = f"location.href == {self.url + path!r}"
        self._page.open(
            f"{self.url}{path}", width=width, height=height, until=f"{here} && document.readyState == 'complete'"
        )

    def press(self, key: str, *, shift: bool = False) -> None:
        text = {"Enter": "\r", "Tab": ""}.get(key, key)
        named = {"key": key, "windowsVirtualKeyCode": _CODES.get(key, ord(key.upper()[0])), "modifiers": 8 * shift}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def sees(self, script: str) -> Any:
        return self._page.run(script)

    def waits(self, until: str) -> None:
        self._page.wait(until)

    def text(self) -> str:
        return str(self.sees("document.body.innerText"))

    def uids(self) -> list[str]:
        found: list[str] = self.sees("[...document.querySelectorAll('[data-uid]')].map(one => one.dataset.uid)")
        return found

    def focus(self) -> str:
        """Which event's link has the focus, or what else."""
        return str(
            self.sees("(document.activeElement.closest('[data-uid]') || {dataset: {}}).dataset.uid || "
                      "document.activeElement.id || document.activeElement.className || document.activeElement.tagName")
        )  # fmt: skip

    def call(self, method: str, **params: object) -> dict[str, Any]:
        return self._page._call(method, **params)
