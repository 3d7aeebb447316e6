"""What lies behind an address of fsspec: asked for several at once, and what keeps one from being had in words."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_art import terminal
from keras_art.errors import UserError

ADDRESS = re.compile(r"([A-Za-z][\w+.-]+):/{1,2}(?=[^/\\])")  # a `Path` has one slash where an address has two
BLOCK = 4 << 20  # bytes of a remote shard that are read ahead
CONNECT_SECONDS, READ_SECONDS = 8.0, 20.0  # of silence: clients ask twice, with half of the time for each
Part = tuple[str, str, int | None, int | None]  # a place, the object that it is in, and where in it it begins and ends
Stamp = tuple[int, int, int]


def is_address(place: str | Path) -> bool:
    """Whether a text names something behind a server: `s3://museum/1.jpg`."""
    return ":/" in str(place) and ADDRESS.match(str(place)) is not None


def whole(place: str | Path) -> str:
    """An address with both its slashes, or an absolute path."""
    text = str(place)
    if found := ADDRESS.match(text) if ":/" in text else None:
        return f"{found[1].lower()}://{text[found.end() :]}"
    return os.path.abspath(text)


def fetched(system: Any, objects: Sequence[Part]) -> dict[str, bytes | OSError]:
    """What some places of one client hold, at once; an error in the place of what can not be had.

    Raises:
        UserError: the server does not answer.
    """
    paths = [system._strip_protocol(file) for _, file, *_ in objects]
    contents: list[Any]
    try:
        with waiting(objects[0][1]):
            contents = system.cat_ranges(
                paths, [start for *_, start, _ in objects], [end for *_, end in objects], on_error="return"
            )
    except Exception as error:  # every client has its own
        contents = [error] * len(objects)
    found: dict[str, bytes | OSError] = {}
    for (place, file, start, end), content in zip(objects, contents, strict=True):
        if isinstance(content, Exception):
            content = _reason(content, file)
        elif start is not None and end is not None and len(content) != end - start:
            raise UserError(f"{file}: its server gives no parts of files, so that a shard can not be read in place")
        found[place] = content
    return found


def stamp_of(said: dict[str, Any]) -> Stamp:
    """What a server says of an object, as `stamps` has it."""
    names = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "created", "last_modified")
    of_web = [said[name] for name in ("Last-Modified", "Content-MD5", "Digest") if said.get(name)]
    version = repr([said.get(name) for name in names] + of_web)
    return int(said.get("size") or 0), int.from_bytes(hashlib.sha256(version.encode()).digest()[:7]), 0


def about(address: str) -> dict[str, Any]:
    """What a server says of an object.

    Raises:
        OSError: it is not there, or may not be read.
        UserError: the server does not answer, or what its client needs is not installed.
    """
    system = system_of(address)
    try:
        with waiting(address):
            return dict(system.info(system._strip_protocol(address)))
    except Exception as error:
        raise _reason(error, address) from error


def below(address: str) -> dict[str, dict[str, Any]]:
    """Everything below an address, or that a pattern (`*.tar`) names: address -> what the server says of it; sorted.

    Raises:
        OSError, UserError: as `about`.
    """
    system = system_of(address)
    asked = system._strip_protocol(address).rstrip("/")
    base, prefix = asked, address.rstrip("/")
    if magic := re.search(r"[*?\[]", asked):
        base = asked[: magic.start()].rpartition("/")[0]
        prefix = address[: re.search(r"[*?\[]", address).start()].rpartition("/")[0]  # type: ignore[union-attr]
    with suppress(OSError):
        about(prefix)  # one question, where a listing asks a silent server four times
    try:
        with waiting(address):
            found = system.glob(asked, detail=True) if magic else system.find(asked, detail=True)
    except Exception as error:
        raise _reason(error, address) from error
    named = {name[len(base) :].lstrip("/"): said for name, said in found.items() if said.get("type") == "file"}
    return {f"{prefix}/{name}": named[name] for name in sorted(named) if name}


def opened(address: str) -> Any:
    """An object to read from, anywhere in it; reading raises as `about`, too.

    Raises:
        OSError, UserError: as `about`.
    """
    system = system_of(address)
    try:
        with waiting(address):
            file = system.open(system._strip_protocol(address), "rb", block_size=BLOCK, cache_type="readahead")
    except Exception as error:
        raise _reason(error, address) from error
    if cache := getattr(file, "cache", None):  # of a server's object; what lies in memory has none
        cache.fetcher = functools.partial(_read, cache.fetcher, address)
    return file


def _read(fetch: Callable[[int, int], bytes], address: str, start: int, end: int) -> bytes:
    try:
        with waiting(address):
            return fetch(start, end)
    except Exception as error:
        raise _reason(error, address) from error


@contextmanager
def waiting(address: str) -> Iterator[None]:
    """Tells who sits at a terminal which server it is that says nothing, unless several are asked at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with terminal.waiting(f"waiting for {'/'.join(address.split('/')[:3])}"):
        yield


def system_of(address: str) -> Any:
    """The client for an address; its errors are those of `about`."""
    return _system(address.partition("://")[0])


@functools.cache
def _system(scheme: str) -> Any:
    """The client for a kind of address.

    Raises:
        UserError: it is not installed, or there is none.
    """
    options: dict[str, Any] = {}
    try:
        import fsspec

        if scheme in ("http", "https"):
            import aiohttp

            patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS / 2)
            options["client_kwargs"] = {"timeout": patience}
        if scheme in ("s3", "s3a"):
            options["config_kwargs"] = {
                "connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS / 2, "retries": {"max_attempts": 0},
            }  # fmt: skip
        system = fsspec.filesystem(scheme, **options)
        if scheme in ("s3", "s3a"):
            system.retries = 2  # its own, of what silence and a busy server bring about; it has five
        return system
    except ImportError as error:
        lacking = getattr(error, "name", None) or str(error)
        more = " gcsfs" if scheme in ("gs", "gcs") else ""
        raise UserError(f'{scheme}:// needs more ({lacking}): pip install "keras_art[remote]"{more}') from error
    except (ValueError, TypeError) as error:  # the second of a client that has to be told where it is
        raise UserError(f"{scheme}:// is no kind of address that is known ({error}); s3, gs and https are") from error


def _reason(error: Exception, address: str) -> OSError:
    """What keeps one object from being read; a client's error says so in its own way.

    Raises:
        UserError: it speaks of the server, not of the object.
    """
    root: BaseException = error
    while root.__cause__ is not None:  # the client of web servers takes all for a missing file
        root = root.__cause__
    status = getattr(root, "status", None) or getattr(root, "code", None)
    if isinstance(error, PermissionError) or status in (401, 403):
        return PermissionError(13, "permission denied", address)
    if status in (404, 410) or (isinstance(error, FileNotFoundError) and not status and not _unanswered(root)):
        return FileNotFoundError(2, "missing file", address)
    if isinstance(root, TimeoutError) or "timeout" in type(root).__name__.lower():
        raise UserError(
            f"{address}: its server does not answer ({type(root).__name__}; {READ_SECONDS:.0f} s of silence are the "
            f"limit). See whether it is the right address; where it is, the same command goes on later, and what is "
            f"stored already is kept"
        ) from error
    said = " ".join(str(root).split())[:200]
    raise UserError(
        f"{address} can not be fetched ({type(root).__name__}{': ' * bool(said)}{said}). What is stored already is "
        f"kept, and the same command goes on"
    ) from error


def _unanswered(error: BaseException) -> bool:
    """Whether an error is of the network, and not a file that is absent."""
    return type(error).__module__.startswith("aiohttp") or isinstance(error, ConnectionError | TimeoutError)
