"""Against a local server that breaks connections, lies about lengths, and answers 403, 404, 429 and 500."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from keras_art.fetching import connections, downloads
from keras_art.fetching.downloads import Away, Downloader, Limits, NotFetched, Refused

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each address by a list of functions, the last one for ever; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str]] = []  # path, Range
        self.agents: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range", "")))
                outer.agents.add(self.headers["User-Agent"])
                answers = outer.answers.get(self.path, [status(404)])
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def on(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def polite(waits: list[float]) -> Downloader:
    return Downloader(pause=0.25, sleep=waits.append)


def whole(content: bytes = CONTENT) -> Answer:
    """The content, or the part that was asked for."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        begin = int(request.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        if begin and begin >= len(content):
            return status(416)(request)
        request.send_response(206 if begin else 200)
        if begin:
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - begin))
        request.end_headers()
        request.wfile.write(content[begin:])

    return answer


def ignoring_ranges(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT)


def breaking(after: int) -> Answer:
    """Promises everything and closes the connection in the middle."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        begin = int(request.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        request.send_response(206 if begin else 200)
        request.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        request.send_header("Content-Length", str(len(CONTENT) - begin))
        request.end_headers()
        request.wfile.write(CONTENT[begin : begin + after])
        request.close_connection = True

    return answer


def short(length: int) -> Answer:
    """Lies: a short body, and a Content-Length that agrees with it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        request.wfile.write(CONTENT[:length])

    return answer


def status(code: int, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def test_a_file_is_fetched_once_and_not_asked_for_again(server, polite, tmp_path):
    url = server.on("/a", whole())
    for _ in range(2):
        polite.fetch([url], tmp_path / "deep" / "a", SHA256, len(CONTENT))
    assert (tmp_path / "deep" / "a").read_bytes() == CONTENT
    assert server.asked == [("/a", "")]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]
    assert server.agents == {connections.AGENT}


def test_a_broken_connection_is_resumed_where_it_broke(server, polite, tmp_path):
    url = server.on("/a", breaking(100_000), breaking(200_000), whole())
    polite.fetch([url], tmp_path / "a", SHA256, len(CONTENT))
    assert (tmp_path / "a").read_bytes() == CONTENT
    begins = [int(asked[6:-1] or 0) if asked else 0 for _, asked in server.asked]
    assert begins[0] == 0 < begins[1] < begins[2]


def test_what_a_killed_fetch_left_is_gone_on_from(server, polite, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT[:300_000])
    polite.fetch([server.on("/a", whole())], tmp_path / "a", SHA256)
    assert server.asked == [("/a", "bytes=300000-")]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_starts_the_file_over(server, polite, tmp_path):
    (tmp_path / "a.part").write_bytes(b"x" * 300_000)
    polite.fetch([server.on("/a", ignoring_ranges)], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"more", b"x" * 1000])
def test_a_part_that_is_whole_too_long_or_of_another_file_ends_well(server, polite, tmp_path, left):
    (tmp_path / "a.part").write_bytes(left)
    polite.fetch([server.on("/a", whole())], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_without_a_hash_nothing_is_put_together_of_two_halves(server, polite, tmp_path):
    polite.fetch([server.on("/a", breaking(1000), whole())], tmp_path / "a")
    assert server.asked == [("/a", ""), ("/a", "")]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_lie_about_the_length_is_found_by_size_or_by_hash(server, polite, tmp_path):
    url = server.on("/a", short(5000))
    with pytest.raises(NotFetched, match="it ended after 5,000 of 512,000 bytes, 5 times"):
        polite.fetch([url], tmp_path / "a", size=len(CONTENT))
    with pytest.raises(NotFetched, match="its SHA-256 is"):
        polite.fetch([url], tmp_path / "a", SHA256)
    assert not (tmp_path / "a").exists()


def test_a_file_without_end_is_cut_off(server, polite, tmp_path):
    with pytest.raises(NotFetched, match="longer than 1,000 bytes"):
        polite.fetch([server.on("/a", whole())], tmp_path / "a", SHA256, 1000)


def test_a_part_that_nobody_asked_for_is_no_file(server, polite, waits, tmp_path):
    with pytest.raises(NotFetched, match="206 Partial Content"):
        polite.fetch([server.on("/a", status(206, Content_Range="bytes 10-20/30"))], tmp_path / "a")
    with pytest.raises(NotFetched, match="416"):
        polite.fetch([server.on("/b", status(416))], tmp_path / "b")


def test_a_wrong_hash_goes_to_the_next_source_and_then_says_both(server, polite, tmp_path):
    wrong, right = server.on("/wrong", whole(b"<html>")), server.on("/right", whole())
    polite.fetch([wrong, right], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT
    gone = server.on("/gone", status(404))
    with pytest.raises(NotFetched, match=r"(?s)/wrong: its SHA-256 is .*/gone: 404"):
        polite.fetch([wrong, gone], tmp_path / "b", SHA256)


def test_busy_servers_are_waited_for_as_long_as_they_ask(server, polite, waits, tmp_path):
    url = server.on("/a", status(429, Retry_After="7"), status(503), status(500), whole())
    polite.fetch([url], tmp_path / "a", SHA256)
    assert waits == [7, 14, 28]


def test_a_server_that_asks_for_an_hour_is_left_alone(server, polite, waits, tmp_path):
    with pytest.raises(Refused, match="asks to wait 3600 s"):
        polite.fetch([server.on("/a", status(429, Retry_After="3600"))], tmp_path / "a")
    assert waits == []


def test_forbidden_is_not_asked_again(server, polite, tmp_path):
    with pytest.raises(Refused, match="403 Forbidden"):
        polite.fetch([server.on("/a", status(403))], tmp_path / "a")
    assert len(server.asked) == 1


def test_errors_that_stay_are_asked_five_times_with_growing_pauses(server, polite, waits, tmp_path):
    with pytest.raises(NotFetched, match="500 Internal Server Error, 5 times"):
        polite.fetch([server.on("/a", status(500))], tmp_path / "a")
    assert waits == [2, 4, 8, 16]


def test_between_two_files_there_is_a_pause(server, polite, waits, tmp_path):
    for name in "abc":
        polite.fetch([server.on(f"/{name}", whole())], tmp_path / name)
    assert waits == [0.25, 0.25]


def test_a_server_that_is_not_there_is_one_message(polite, tmp_path):
    with pytest.raises(NotFetched, match=r"the connection broke \(ConnectionError\), 5 times"):
        polite.fetch(["http://127.0.0.1:9/a"], tmp_path / "a")


# --- limits


def redirect(to: str, code: int = 302) -> Answer:
    return status(code, Location=to)


def encoded(content: bytes, encoding: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", encoding)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def dripping(seconds: float, content: bytes = b"x" * 1000, head: bool = True) -> Answer:
    """A byte at a time, of the content or of the header already."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            if head:
                request.send_response(200)
                request.end_headers()
            for byte in content:
                request.wfile.write(bytes([byte]))
                request.wfile.flush()
                time.sleep(seconds)
        request.close_connection = True

    return answer


def bounded(servers: set[str] | None = None, **limits: float) -> Downloader:
    return Downloader(0, sleep=lambda seconds: None, limits=Limits(**limits), servers=servers)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_to_the_named_number_and_no_further(server, tmp_path, code):
    for i in range(3):
        server.on(f"/{i}", redirect(f"/{i + 1}" if i % 2 else f"{server.url}/{i + 1}", code))
    server.on("/3", whole())
    bounded(redirects=3).fetch([f"{server.url}/0"], tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    with pytest.raises(NotFetched, match="leads on more than 2 times: --max_redirects follows further"):
        bounded(redirects=2).fetch([f"{server.url}/0"], tmp_path / "b")


def test_a_redirect_to_itself_ends_at_once(server, polite, waits, tmp_path):
    with pytest.raises(NotFetched, match="--max_redirects"):
        polite.fetch([server.on("/a", redirect("/a"))], tmp_path / "a")
    assert waits == []


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://m.example/a", "http://", "//", "http://[::1", "http://a:b/"]
)
def test_a_redirect_leads_to_http_alone(server, polite, waits, tmp_path, to):
    with pytest.raises(NotFetched, match=r"is no http or https address|is no address|leads on"):
        polite.fetch([server.on("/a", redirect(to))], tmp_path / "a")
    assert waits == [] and not (tmp_path / "a").exists()


def test_a_redirect_to_a_server_that_nobody_named_is_refused(server, tmp_path):
    strange = Server()
    url = server.on("/a", redirect(strange.on("/b", whole())))
    named = connections.server(server.url)
    with pytest.raises(NotFetched, match=r"127\.0\.0\.1:\d+ is not named by what was asked for: --follow_hosts"):
        bounded(servers={named}).fetch([url], tmp_path / "a")
    assert strange.asked == []
    bounded(servers={named, connections.server(strange.url)}).fetch([url], tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    strange.server.shutdown()
    strange.server.server_close()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://m.example/a", "m.example"),
        ("http://m.example:80/a", "m.example"),
        ("HTTPS://M.Example:443/a", "m.example"),
        ("http://m.example:8080", "m.example:8080"),
        ("http://user:word@m.example/", "m.example"),
        ("http://m.example@evil.example/", "evil.example"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
        ("http://[::1]:8080/", "::1:8080"),
        ("ftp://m.example/", ""),
        ("m.example", ""),
        ("/a", ""),
        ("http:///a", ""),
        ("http://a:99999/", ""),
        ("http://[/", ""),
        ("http://\ud800/", ""),
        ("", ""),
    ],
)
def test_the_server_of_an_address_is_the_one_that_is_asked(url, name):
    assert connections.server(url) == name


@pytest.mark.parametrize(
    "url", ["/full/max/0/default.jpg", "", "http://", "htp://x", "http://a b:c/", "http://*.\ud800/", "data:,x"]
)
def test_a_malformed_address_fails_at_once(polite, waits, tmp_path, url):
    with pytest.raises(NotFetched, match="is no http or https address"):
        polite.fetch([url], tmp_path / "a")
    assert waits == []


def test_a_server_whose_name_does_not_exist_fails_at_once(polite, waits, tmp_path, monkeypatch):
    def unknown(*words: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotFetched, match="no server has that name"):
        polite.fetch(["http://nowhere.invalid/a"], tmp_path / "a")
    assert waits == []


def test_a_certificate_that_is_not_valid_fails_at_once(polite, waits, tmp_path, monkeypatch):
    def refused(*words: object, **more: object) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise requests.exceptions.SSLError("x") from error

    monkeypatch.setattr(polite.session, "get", refused)
    with pytest.raises(NotFetched, match=r"its certificate is not valid \(self-signed certificate\)"):
        polite.fetch(["https://m.example/a"], tmp_path / "a")
    assert waits == []


def test_a_server_that_speaks_no_tls_fails_at_once(server, polite, waits, tmp_path):
    with pytest.raises(NotFetched, match="it speaks no TLS"):
        polite.fetch([server.url.replace("http:", "https:")], tmp_path / "a")
    assert waits == []


@pytest.mark.parametrize("code", [400, 404, 410, 418, 451, 501, 505])
def test_answers_that_another_try_would_repeat_fail_at_once(server, polite, waits, tmp_path, code):
    with pytest.raises(NotFetched, match=str(code)):
        polite.fetch([server.on("/a", status(code))], tmp_path / "a")
    assert waits == [] and len(server.asked) == 1


@pytest.mark.parametrize("honest", [True, False])
def test_bytes_are_bounded_and_the_flag_is_told(server, tmp_path, honest):
    def silent(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(CONTENT)
        request.close_connection = True

    url = server.on("/a", whole() if honest else silent)
    with pytest.raises(NotFetched, match=r"is larger than 0.4 MB: --max_megabytes takes more"):
        bounded(megabytes=0.4).fetch([url], tmp_path / "a")
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []
    bounded(megabytes=0.6).fetch([url], tmp_path / "a")


def test_a_file_that_says_how_large_it_is_is_not_waited_for(server, tmp_path):
    def boasting(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(10**12))
        request.end_headers()
        time.sleep(8)
        request.close_connection = True

    started = time.monotonic()
    with pytest.raises(NotFetched, match="is larger than 200 MB"):
        bounded(patience=20).fetch([server.on("/a", boasting)], tmp_path / "a")
    assert time.monotonic() - started < 7


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
def test_inflated_bytes_are_bounded_in_memory_too(server, tmp_path, encoding):
    content = bytes(300_000_000 if "," in encoding else 60_000_000)
    for name in reversed(encoding.split(", ")):
        content = gzip.compress(content, 1) if name == "gzip" else zlib.compress(content, 1)
    assert len(content) < 400_000
    url = server.on("/a", encoded(content, encoding))
    tracemalloc.start()
    with pytest.raises(NotFetched, match="is larger than 1 MB: --max_megabytes takes more"):
        bounded(megabytes=1).fetch([url], tmp_path / "a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert list(tmp_path.iterdir()) == []


def test_what_is_compressed_comes_inflated_and_what_only_says_so_fails_at_once(server, polite, waits, tmp_path):
    polite.fetch([server.on("/a", encoded(gzip.compress(CONTENT), "gzip"))], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT
    waits.clear()
    with pytest.raises(NotFetched, match="is not compressed as it says"):
        polite.fetch([server.on("/b", encoded(CONTENT, "gzip"))], tmp_path / "b")
    with pytest.raises(NotFetched, match="is not compressed as it says"):
        polite.fetch([server.on("/c", encoded(CONTENT, ", ".join(["gzip"] * 99)))], tmp_path / "c")
    assert sum(waits) == 0.5  # between files, none between tries


def test_a_file_that_comes_byte_by_byte_is_given_up_and_the_flag_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 2)
    started = time.monotonic()
    with pytest.raises(NotFetched, match=r"nothing came for 0.3 s, --patience waits longer, 2 times"):
        bounded(patience=0.3).fetch([server.on("/a", dripping(0.05))], tmp_path / "a")
    assert time.monotonic() - started < 5
    bounded(patience=5).fetch([server.on("/b", dripping(0.005, b"x" * 20))], tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"x" * 20


@pytest.mark.parametrize("seconds", [0.6, 0.02])
def test_a_server_whose_answer_does_not_begin_is_given_up_and_is_away(server, tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(downloads, "TRIES", 2)
    url = server.on("/a", dripping(seconds, b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1000, head=False))
    started = time.monotonic()
    with pytest.raises(Away, match=r"--patience waits longer, 2 times$"):
        bounded(patience=0.2).fetch([url, server.on("/b", whole())], tmp_path / "a")
    assert "/b" not in [path for path, _ in server.asked]  # the same server
    assert time.monotonic() - started < 10


def test_another_server_is_asked_where_one_is_away(server, polite, tmp_path):
    polite.fetch(["http://127.0.0.1:9/a", server.on("/a", whole())], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_two_processes_do_not_write_one_unfinished_file(server, polite, tmp_path, monkeypatch):
    """The other one has begun: what it has is left to it."""
    (tmp_path / "a.elsewhere-1.part").write_bytes(b"half")
    polite.fetch([server.on("/a", whole())], tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.elsewhere-1.part"]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_file_gets_its_name_when_it_has_been_looked_at(server, polite, tmp_path):
    def place(part: Path) -> Path:
        if b"<html>" in part.read_bytes():
            raise NotFetched("it is a page")
        return tmp_path / "a.bin"

    page, right = server.on("/page", whole(b"<html>")), server.on("/right", whole())
    assert polite.fetch([page, right], tmp_path / "a", place=place) == tmp_path / "a.bin"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    with pytest.raises(NotFetched, match="/page: it is a page"):
        polite.fetch([page], tmp_path / "b", place=place)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("header", ["-5", "abc", "9" * 30, "1e9", ""])
def test_odd_lengths_and_waits_are_no_traceback(server, tmp_path, header):
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", header)
        request.end_headers()
        request.wfile.write(b"x")
        request.close_connection = True

    with contextlib.suppress(NotFetched):
        bounded().fetch([server.on("/a", answer)], tmp_path / "a")
    with contextlib.suppress(NotFetched):
        bounded().fetch([server.on("/b", status(429, Retry_After=header))], tmp_path / "b")
