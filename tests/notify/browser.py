"""Chromium without a window, told what to do over its debugging pipe: open a page, wait for it, take its picture."""

from __future__ import annotations

import base64
import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAIT_SECONDS = 60.0
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server", "--no-first-run")


class Page:
    """One page. Messages are JSON, each ended by a zero byte (Chromium's --remote-debugging-pipe)."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to = to_browser
        self._from = from_browser
        self._number = 0
        self._buffer = b""
        self._session = ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def open(self, url: str, *, width: int, height: int, until: str) -> None:
        """Show `url` in a window of this size and wait until the JavaScript expression `until` is true."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        self._call("Page.navigate", url=url)
        self.wait(until)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; None when it can't be had yet."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def wait(self, until: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while self.run(until) is not True:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {WAIT_SECONDS:g} s: {until}\n{self.run('document.body.innerText')}")
            time.sleep(0.1)

    def picture(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _message(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                assert selector.select(WAIT_SECONDS), f"Chromium says nothing for {WAIT_SECONDS:g} s"
                chunk = os.read(self._from, 1 << 20)
                assert chunk, "Chromium ended"
                self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


@contextmanager
def browser(directory: Path) -> Iterator[Page]:
    """A page in a browser that lives until the block ends."""
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    # Chromium reads descriptor 3 and writes 4, whatever numbers the pipes have here.
    command = (
        f'exec chromium {" ".join(_FLAGS)} --remote-debugging-pipe --user-data-dir="$0" 3<&{in_read} 4>&{out_write}'
    )
    with (directory / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", command, directory / "profile"], pass_fds=(in_read, out_write), stdout=log, stderr=log
        )
    os.close(in_read)
    os.close(out_write)
    try:
        yield Page(in_write, out_read)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(in_write)
        os.close(out_read)
