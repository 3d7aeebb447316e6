"""One file over HTTP: resumed, checked, bounded, and asked for politely."""

from __future__ import annotations

import email.utils
import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3

from keras_art.errors import UserError
from keras_art.fetching.connections import server, session
from keras_art.store.sums import hash_of
from keras_art.writing import slug

TRIES = 5  # of one address
WAIT = 2.0  # seconds before the second try, doubled for each further one
GIVE_UP = 3  # refusals in a row, after which a server is asked no more
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is left in peace until another day
PROGRESS = 1 << 14  # bytes: fewer, within the time that `Limits.patience` gives, are none
BLOCK = 1 << 16
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION")


class NotFetched(UserError):
    """A file could not be had; the message has each address and what it answered."""


class Refused(NotFetched):
    """The server does not want to be asked: 403."""


class Away(Refused):
    """The server can not be asked for anything now: no answer, 429, or a wait longer than `LONGEST_WAIT`."""


@dataclass(frozen=True)
class Limits:
    """What a server may cost; whoever meets one is told the flag of `fetch` that raises it."""

    megabytes: float = 200.0  # of one file, as it comes and inflated
    redirects: int = 5  # from one address to the next
    patience: float = 30.0  # seconds without progress


class Downloader:
    """Asks one server at a time, over one connection, with a pause between files.

    Args:
        pause: seconds between two files.
        sleep: how to wait.
        servers: those that may be asked, as `server` names them; None: any.
    """

    def __init__(
        self,
        pause: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
        limits: Limits = Limits(),
        servers: Collection[str] | None = None,
    ) -> None:
        self.pause, self.sleep, self.limits, self.servers = pause, sleep, limits, servers
        self.session = session()
        self.asked = 0
        self.refusals: Counter[str] = Counter()  # of each server, since it last gave something

    def fetch(
        self,
        urls: Sequence[str],
        path: Path,
        sha256: str = "",
        size: int = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
        place: Callable[[Path], Path] | None = None,
    ) -> Path:
        """Writes `path` by rename when it is whole; a file that is there already is not asked for again.

        What has come of a file whose hash is known stays in `PATH.part`, and the next try goes on from there.

        Args:
            urls: addresses of the same file, in order of preference.
            sha256: of the file, "" where nobody published one.
            size: in bytes, 0 where unknown: then `Limits.megabytes` holds.
            progress: called with (bytes so far, bytes in all or 0).
            place: looks at the whole file before it gets its name: says where it belongs, or raises `NotFetched`.

        Returns:
            Where the file is.

        Raises:
            Refused: the last address, or its server, does not want to be asked.
            NotFetched: no address gave the file.
        """
        if path.exists():
            if not sha256 or hash_of(path) == sha256:
                return path
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes may fetch one file; only what is gone on with has a name that the next one finds.
        own = "" if sha256 else f".{slug(socket.gethostname())}-{os.getpid()}"
        part = path.with_name(f"{path.name}{own}.part")
        failed: list[str] = []
        kind: type[NotFetched] = NotFetched
        away: set[str] = set()
        for url in dict.fromkeys(urls):
            if (name := server(url)) in away:  # its other addresses would say the same
                continue
            try:
                if self.refusals[name] >= GIVE_UP:
                    raise Away("not asked for: its server refused before")
                self._from(url, part, sha256, size, progress)
                found = place(part) if place else path
                os.replace(part, found)
                self.refusals[name] = 0
                return found
            except NotFetched as error:
                failed.append(f"{url}: {error}")
                kind = type(error)
                if kind is Away:
                    away.add(name)
            finally:
                if not sha256:
                    part.unlink(missing_ok=True)
        if kind is Refused:  # one file counts once, whatever its addresses
            self.refusals[name] += 1
        elif kind is not Away:
            self.refusals[name] = 0
        self.refusals.update(away)
        raise kind(f"could not be fetched: {'; '.join(failed)}")

    def _from(self, url: str, part: Path, sha256: str, size: int, progress: Callable[[int, int], None]) -> None:
        self._permitted(url)
        reason, wait, answered = "", WAIT, False
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
                with self._answer(url, {"Range": f"bytes={begun}-"} if begun else {}) as answer:
                    status, answered = answer.status_code, True
                    if status in (429, 503):
                        wait = max(wait, _retry_after(answer.headers.get("Retry-After", "")))
                        reason = f"{status}, busy"
                        if wait > LONGEST_WAIT:
                            raise Away(f"{status}, asks to wait {wait:.0f} s")
                        continue
                    if status == 403:
                        raise Refused(f"{status} {answer.reason}")
                    if status == 416 and begun:  # there is no more than what is there: too much, or all of it
                        pass
                    elif status in (408, 425, 500, 502, 504):
                        reason = f"{status} {answer.reason}"
                        continue
                    elif status != 200 and not (status == 206 and begun):  # a part that nobody asked for is no file
                        raise NotFetched(f"{status} {answer.reason}")
                    else:
                        resumed = status == 206 and _starts(answer.headers.get("Content-Range", "")) == begun
                        self._body(answer, part, begun if resumed else 0, size, progress)
            except ValueError as error:  # of an address that can not be asked, a redirect's too
                raise NotFetched(f"it is no address ({error})") from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if isinstance(error, OSError) and error.errno:  # the disk is full, or not ours to write
                    raise
                if hopeless := _hopeless(error):
                    raise NotFetched(hopeless) from error
                reason = self._broken(error)
                continue
            found = part.stat().st_size if part.exists() else 0
            if size and found < size and status != 416:
                reason = f"it ended after {found:,} of {size:,} bytes"
                continue
            if sha256 and (digest := hash_of(part)) != sha256:
                part.unlink()
                reason = f"its SHA-256 is {digest}, not {sha256}"
                if status == 416 or begun:  # the older half may be the wrong one
                    continue
                raise NotFetched(reason)
            return
        raise (NotFetched if answered and not reason.startswith("429") else Away)(f"{reason}, {TRIES} times")

    def _permitted(self, url: str) -> None:
        """Only HTTP, and only servers that somebody named: a stranger's redirect may lead into our own network."""
        if not (name := server(url)):
            raise NotFetched(f"{url[:200]!r} is no http or https address")
        if self.servers is not None and name not in self.servers:
            raise NotFetched(f"{name} is not named by what was asked for: --follow_hosts asks it too")

    @contextmanager
    def _answer(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The answer at the end of the redirects."""
        for _ in range(self.limits.redirects + 1):
            self._permitted(url)
            answer = self.session.get(
                url, headers=headers, stream=True, timeout=self.limits.patience, allow_redirects=False
            )
            with answer:
                onward = self.session.get_redirect_target(answer)
                if onward is None:
                    yield answer
                    return
            url = urljoin(url, onward)
        raise NotFetched(f"it leads on more than {self.limits.redirects} times: --max_redirects follows further")

    def _body(
        self, answer: requests.Response, part: Path, begun: int, size: int, progress: Callable[[int, int], None]
    ) -> None:
        length = answer.headers.get("Content-Length", "")
        total = size or (begun + int(length) if length.isdecimal() else 0)
        self._bounded(total, size)
        with open(part, "r+b" if begun else "wb") as file:
            file.seek(begun)
            seen, since = begun, time.monotonic()
            while block := answer.raw.read1(BLOCK, decode_content=True):
                file.write(block)
                progress(file.tell(), total)
                self._bounded(file.tell(), size)
                if file.tell() - seen >= PROGRESS:
                    seen, since = file.tell(), time.monotonic()
                elif time.monotonic() - since > self.limits.patience:
                    raise TimeoutError

    def _bounded(self, found: int, size: int) -> None:
        if size and found > size:
            raise NotFetched(f"it is longer than {size:,} bytes")
        if not size and found > self.limits.megabytes * 1e6:
            raise NotFetched(f"it is larger than {self.limits.megabytes:g} MB: --max_megabytes takes more")

    def _broken(self, error: Exception) -> str:
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return f"nothing came for {self.limits.patience:g} s, --patience waits longer"
        return f"the connection broke ({type(error).__name__})"


def _hopeless(error: BaseException | None) -> str:
    """Why another try would say the same, "" where it might not."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({error.verify_message})"
        if isinstance(error, ssl.SSLError) and error.reason in NO_TLS:
            return f"it speaks no TLS, or none that is safe today ({error.reason})"
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            return "no server has that name"
        if isinstance(error, urllib3.exceptions.DecodeError):
            return "its content is not compressed as it says"
        error = error.__cause__ or error.__context__
    return ""


def _retry_after(header: str) -> float:
    """Seconds, from a number of them or a date."""
    if header.strip().isdecimal():
        return float(header)
    try:
        return email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0


def _starts(content_range: str) -> int:
    first = content_range.removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1
