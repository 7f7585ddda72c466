"""Chromium through its debugging pipe: no driver, no port, no network."""

import base64
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from itertools import count

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


def find():
    """The path of a Chromium, or None."""
    return next(
        (
            path
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (path := shutil.which(name))
        ),
        None,
    )


class Tab:
    """One page of the browser, and everything it has said so far."""

    def __init__(self, send, receive, session):
        self._send, self._receive, self._session, self._ids = send, receive, session, count(1000)
        self.events = []

    def call(self, method, **params):
        id_ = next(self._ids)
        self._send({"id": id_, "method": method, "params": params, "sessionId": self._session})
        while True:
            message = self._receive()
            if message.get("id") == id_:
                assert "error" not in message, (method, message)
                return message["result"]
            self.events.append(message)

    def open(self, path):
        self.events.clear()
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def resize(self, width, height=900):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def evaluate(self, expression):
        """The value of a JavaScript expression, or what its promise comes to."""
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def screenshot(self, path, **clip):
        shot = self.call(
            "Page.captureScreenshot", captureBeyondViewport=True, clip={**clip, "scale": 1}
        )
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def said(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]


@contextmanager
def tab(profile):
    """Starts a browser with an empty profile and gives its one tab."""
    to_browser, us_out = os.pipe()
    us_in, from_browser = os.pipe()

    # The browser reads commands from descriptor 3 and answers on 4.
    pipes = ["bash", "-c", 'exec "${@:3}" 3<&"$1" 4>&"$2"', "bash", f"{to_browser}"]
    process = subprocess.Popen(
        [*pipes, f"{from_browser}", find(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser), os.close(from_browser)
    reader = os.fdopen(us_in, "rb", buffering=0)
    rest = bytearray()

    def send(message):
        os.write(us_out, json.dumps(message).encode() + b"\0")

    def receive():
        while b"\0" not in rest:
            more = reader.read(1 << 16)
            assert more, "the browser has gone"
            rest.extend(more)
        message, _, left = bytes(rest).partition(b"\0")
        rest[:] = left
        return json.loads(message)

    def ask(id_, method, **params):
        send({"id": id_, "method": method, "params": params})
        while (message := receive()).get("id") != id_:
            pass
        return message["result"]

    try:
        target = ask(1, "Target.createTarget", url="about:blank")["targetId"]
        session = ask(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        yield Tab(send, receive, session)
        send({"id": 3, "method": "Browser.close"})
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(us_out)
        reader.close()
