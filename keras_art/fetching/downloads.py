"""One file over HTTP: resumed, checked, and asked for politely."""

from __future__ import annotations

import email.utils
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from keras_art.errors import UserError
from keras_art.version import __version__

AGENT = f"keras_art/{__version__} (research software; one connection a server)"
TRIES = 5  # of one address
WAIT = 2.0  # seconds before the second try, doubled for each further one
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is left in peace until another day
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 16


class NotFetched(UserError):
    """A file could not be had; the message has each address and what it answered."""


class Refused(NotFetched):
    """The server does not want to be asked now: 401, 403, 429, or a wait longer than `LONGEST_WAIT`."""


class Downloader:
    """Asks one server at a time, over one connection, with a pause between files.

    Args:
        pause: seconds between two files.
        sleep: how to wait.
    """

    def __init__(self, pause: float = 0.5, sleep: Callable[[float], None] = time.sleep) -> None:
        import requests

        self.pause, self.sleep = pause, sleep
        self.session = requests.Session()
        self.session.headers["User-Agent"] = AGENT
        self.asked = 0

    def fetch(
        self,
        urls: Sequence[str],
        path: Path,
        sha256: str = "",
        size: int = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Writes `path` by rename when it is whole; a file that is there already is not asked for again.

        What has come of a file whose hash is known stays in `PATH.part`, and the next try goes on from there.

        Args:
            urls: addresses of the same file, in order of preference.
            sha256: of the file, "" where nobody published one.
            size: in bytes, 0 where unknown.
            progress: called with (bytes so far, bytes in all or 0).

        Raises:
            Refused: the only address left does not want to be asked.
            NotFetched: no address gave the file.
        """
        if path.exists():
            if not sha256 or file_hash(path) == sha256:
                return
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        failed: list[str] = []
        kind: type[NotFetched] = NotFetched
        for url in urls:
            try:
                self._from(url, part, sha256, size, progress)
                os.replace(part, path)
                return
            except NotFetched as error:
                failed.append(f"{url}: {error}")
                kind = type(error)
        raise kind(f"{path.name} could not be fetched: " + "; ".join(failed))

    def _from(self, url: str, part: Path, sha256: str, size: int, progress: Callable[[int, int], None]) -> None:
        import requests

        reason, wait = "", WAIT
        for number in range(TRIES):
            if number:
                self.sleep(wait)
                wait *= 2
            elif self.asked:
                self.sleep(self.pause)
            self.asked += 1
            if not sha256:  # without a hash nobody could say whether both halves are of one file
                part.unlink(missing_ok=True)
            begun = part.stat().st_size if part.exists() else 0
            try:
                headers = {"Range": f"bytes={begun}-"} if begun else {}
                with self.session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
                    status = answer.status_code
                    if status in (429, 503):
                        wait = max(wait, _retry_after(answer.headers.get("Retry-After", "")))
                        reason = f"{status}, busy"
                        if wait > LONGEST_WAIT:
                            raise Refused(f"{status}, asks to wait {wait:.0f} s")
                        continue
                    if status in (401, 403):
                        raise Refused(f"{status} {answer.reason}")
                    if status == 416:  # there is no more than what is there: too much, or all of it
                        pass
                    elif status >= 500:
                        reason = f"{status} {answer.reason}"
                        continue
                    elif status not in (200, 206):
                        raise NotFetched(f"{status} {answer.reason}")
                    else:
                        resumed = status == 206 and _starts(answer.headers.get("Content-Range", "")) == begun
                        self._body(answer, part, begun if resumed else 0, size, progress)
            except (requests.RequestException, OSError) as error:
                if isinstance(error, OSError) and error.errno:  # the disk is full, or not ours to write
                    raise
                reason = f"the connection broke ({type(error).__name__})"
                continue
            found = part.stat().st_size if part.exists() else 0
            if size and found < size and status != 416:
                reason = f"it ended after {found:,} of {size:,} bytes"
                continue
            if sha256 and (digest := file_hash(part)) != sha256:
                part.unlink()
                reason = f"its SHA-256 is {digest}, not {sha256}"
                if status == 416 or begun:  # the older half may be the wrong one
                    continue
                raise NotFetched(reason)
            return
        refused = reason.startswith("429")
        raise (Refused if refused else NotFetched)(f"{reason}, {TRIES} times")

    def _body(self, answer: object, part: Path, begun: int, size: int, progress: Callable[[int, int], None]) -> None:
        import requests

        assert isinstance(answer, requests.Response)
        length = int(answer.headers.get("Content-Length") or 0)
        total = size or (begun + length if length else 0)
        with open(part, "r+b" if begun else "wb") as file:
            file.seek(begun)
            for block in answer.iter_content(BLOCK):
                file.write(block)
                progress(file.tell(), total)
                if size and file.tell() > size:
                    raise NotFetched(f"it is longer than {size:,} bytes")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _retry_after(header: str) -> float:
    """Seconds, from a number of them or a date."""
    if header.strip().isdigit():
        return float(header)
    try:
        return email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0


def _starts(content_range: str) -> int:
    first = content_range.removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1
