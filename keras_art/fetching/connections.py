"""Which server an address is of, and connections that are cut when nothing comes through them."""

from __future__ import annotations

import functools
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from keras_art.version import __version__

AGENT = f"keras_art/{__version__} (research software; one connection a server)"


def server(url: str) -> str:
    """Of an http or https address: its host, and the port where it is not the scheme's own; of any other ""."""
    try:
        # Two readers of one address may see two hosts in it: this is the one that opens the connection.
        parts = urlsplit(requests.Request("GET", url.strip()).prepare().url or "")
        port = "" if parts.port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{parts.port}"
        return f"{parts.hostname}{port}" if parts.hostname else ""
    except (ValueError, KeyError):
        return ""


def session() -> requests.Session:
    """A session whose answers begin within the time that a request allows."""
    made = requests.Session()
    # Compressed, a file could not be gone on with, and pictures are compressed anyway.
    made.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made


class _Adapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *words: Any, **more: Any) -> Any:
        pool = super().get_connection_with_tls_context(*words, **more)
        pool.ConnectionCls = _patient(type(pool).ConnectionCls)
        return pool


@functools.cache
def _patient(kind: type) -> type:
    """A connection whose timeout holds for an answer's header as a whole, which may come byte by byte."""

    class Patient(kind):
        def getresponse(self) -> Any:
            late = threading.Event()

            def cut(connected: socket.socket = self.sock) -> None:
                late.set()
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)

            timer = threading.Timer(self.timeout, cut)
            timer.daemon = True
            timer.start()
            try:
                answer = super().getresponse()
            except Exception:
                if not late.is_set():
                    raise
            finally:
                timer.cancel()
            if late.is_set():  # what there is of a header that was cut looks like all of it
                raise TimeoutError
            return answer

    return Patient
