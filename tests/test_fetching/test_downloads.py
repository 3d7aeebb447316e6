"""Against a local server that breaks connections, lies about lengths, and answers 403, 404, 429 and 500."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keras_art.fetching import downloads
from keras_art.fetching.downloads import Downloader, NotFetched, Refused

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
                answers = outer.answers[self.path]
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

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
        if begin >= len(content):
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
    assert server.agents == {downloads.AGENT}


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
