"""A page of ours in a real browser: headless Chromium, driven by Playwright, without any network.

    with opened(path) as seen:
        seen.page.click("text=Legend")
    assert seen.problems() == []

Tests that use it are marked slow. They are skipped where Playwright (`pip install playwright`) or a Chromium of the
system's is absent; none is downloaded. `serious` needs axe-core, a file of JavaScript that `npm pack axe-core` brings.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = Path(os.environ.get("AXE_CORE", Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"))
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
INLINE = ("file:", "data:", "blob:", "about:")
# Images without pixels, by their alternative text; those that nobody sees are not asked.
UNSHOWN = """() => [...document.images].filter(i => i.getClientRects().length && !(i.complete && i.naturalWidth))
    .map(i => i.alt || i.src.slice(0, 80))"""
MARK = "executed"  # what `hostile` texts set on the window, were they ever run


@dataclass
class Seen:
    """A page that is open, and what has happened since.

    Attributes:
        page: Playwright's.
        errors: what the console and uncaught exceptions said.
        requests: addresses of all that was asked for and is neither inline nor a file.
        files: addresses of the files that were read.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What must not be on any page: errors, requests to a network, images without pixels, foreign code executed."""
        found = [f"error: {text}" for text in self.errors] + [f"request: {url}" for url in self.requests]
        found += [f"no pixels: {alt}" for alt in self.page.evaluate(UNSHOWN)]
        if self.page.evaluate(f"() => window.{MARK} !== undefined"):
            found.append("text was executed")
        return found

    def until(self, expression: str, seconds: float = 60) -> Any:
        """Waits until an expression of the page is true, and gives its value; also where a policy forbids `eval`."""
        deadline = time.monotonic() + seconds
        while not (value := self.page.evaluate(expression)):
            assert time.monotonic() < deadline, f"{expression} is still {value!r} after {seconds} s"
            self.page.wait_for_timeout(20)
        return value


def hostile(n: int = 0) -> str:
    """A text that is run where a page does not escape it: in HTML, in an attribute, in a script, in a style."""
    texts = (
        f"<img src=x onerror='window.{MARK}=1'>",
        f'"><script>window.{MARK}=1</script>',
        f"</script><script>window.{MARK}=1</script>",
        f"' onmouseover='window.{MARK}=1' autofocus onfocus='window.{MARK}=1",
        f"\\u003cscript>window.{MARK}=1\\u003c/script> ${{window.{MARK}=1}} `; window.{MARK}=1; //",
        f"</style><svg onload='window.{MARK}=1'> <!-- \u2028 window.{MARK}=1",
        f"javascript:window.{MARK}=1",
    )
    return texts[n % len(texts)]


@contextmanager
def opened(path: Path, *, width: int = 1400, height: int = 900, **context: Any) -> Iterator[Seen]:
    """Opens a file as a person would, from `file://`, and waits until it is loaded.

    Args:
        width: of the window, in CSS pixels.
        context: of Playwright's `new_context`, as `accept_downloads`, `has_touch`, `bypass_csp`.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed on this system")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = browser.new_context(viewport={"width": width, "height": height}, offline=True, **context).new_page()
        seen = Seen(page)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("console", lambda said: seen.errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda request: _noted(seen, request.url))
        try:
            page.goto(Path(path).resolve().as_uri(), wait_until="load")
            yield seen
        finally:
            browser.close()


def _noted(seen: Seen, url: str) -> None:
    if not url.startswith(INLINE):
        seen.requests.append(url)
    elif url.startswith("file:"):
        seen.files.append(url)


def serious(seen: Seen) -> list[str]:
    """What axe-core finds on an open page that is serious or critical: rule, and the first element it speaks of.

    Skips the test where axe-core is absent.
    """
    if not AXE.is_file():
        pytest.skip(f"axe-core is not at {AXE}: npm pack axe-core, and say where by AXE_CORE")
    seen.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = seen.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    grave = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [f"{rule['id']}: {rule['help']} ({rule['nodes'][0]['html'][:160]})" for rule in grave]
