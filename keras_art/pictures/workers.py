"""Pictures decoded on all cores, in processes that import this room and two others, ready in a tenth of a second."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import zlib
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, cast

from PIL import Image

from keras_art import stopping
from keras_art.pictures.containers import allow
from keras_art.pictures.images import Unreadable, decode
from keras_art.pictures.lookalikes import perceptual_hash
from keras_art.pictures.places import is_file, read_all

PIPE = 1 << 18  # bytes, where the system lets a pipe be widened: a chunk's pixels pass with fewer waits
AHEAD = 4  # chunks for each worker that may wait, decoded, for one before them
PROGRAM = (  # arguments: image_size, resize, most pixels, then where the scanning process looks for modules
    "import sys; sys.path = sys.argv[4:]; "
    "from keras_art.pictures.workers import work; work(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
)

# A file's path; of what is no file of its own its bytes, or why they can not be had.
Source = str | bytes | OSError
# Facts of a picture and its pixels as bytes, none where the facts hold a reason.
Answer = tuple[dict[str, Any], bytes | memoryview]


def decode_chunks(
    chunks: list[list[str]], image_size: int, resize: str, workers: int
) -> Generator[list[Answer], None, None]:
    """Decodes chunks of paths and gives an answer for each path, in their order.

    Args:
        chunks: a worker decodes one at a time. Members of shards and what lies behind addresses are read here.
        image_size: side of the squares, in pixels.
        resize: a name in `images.RESIZE`.
        workers: processes to decode with; 1 decodes in this one.

    Raises:
        RuntimeError: a worker process cannot be started.
        UserError: a server does not answer.
    """
    if workers == 1:
        for paths in chunks:
            yield _decode_chunk(_sources(paths), image_size, resize)
        return
    idle = [_Worker(image_size, resize) for _ in range(workers)]

    def ask(paths: list[str]) -> list[Answer]:
        worker = idle.pop()  # there is one: a worker for each thread
        try:
            return worker.decode(_sources(paths))
        finally:
            idle.append(worker)

    threads = ThreadPoolExecutor(workers)  # a thread only waits for its worker's answer
    asked: deque[Future[list[Answer]]] = deque()
    try:
        for paths in chunks:
            asked.append(threads.submit(ask, paths))
            if len(asked) == AHEAD * workers:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
        for worker in idle:
            worker.stop()


class _Worker:
    """One Python process that decodes chunks, started again when a picture has ended it.

    Not `multiprocessing`, whose processes import the caller's main module: a notebook or a script without
    `if __name__ == "__main__"` may scan too.
    """

    def __init__(self, image_size: int, resize: str) -> None:
        how = str(image_size), resize, str(Image.MAX_IMAGE_PIXELS or 0)
        self.command = [sys.executable, "-P", "-c", PROGRAM, *how, *sys.path]
        self.start()

    def start(self) -> None:
        self.ready = False
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, pipesize=PIPE)

    def decode(self, sources: list[Source]) -> list[Answer]:
        stdin, stdout = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        try:
            self.ready = self.ready or pickle.load(stdout)
            pickle.dump(sources, stdin)
            stdin.flush()
            facts, sizes = pickle.load(stdout)
            return [(fact, _exactly(stdout, size)) for fact, size in zip(facts, sizes, strict=True)]
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = self.stop()
        if not self.ready:
            raise RuntimeError(
                f"{sys.executable} ended with status {status} when started to decode: scan with workers=1"
            )
        self.start()
        if len(sources) > 1:  # find the one it was
            return [answer for source in sources for answer in self.decode([source])]
        return [({"reason": f"decoding it ended the process (status {status})"}, b"")]

    def stop(self) -> int:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError), self.process:
            pass  # closes the pipes and waits
        return self.process.returncode


def work(image_size: int, resize: str, most: int) -> None:
    """What a worker process does: answer what comes on its standard input until that is closed."""
    allow(most)
    stopping.deaf()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    with contextlib.suppress(EOFError, BrokenPipeError):  # the second where the scan was killed
        pickle.dump(True, answers)  # ready
        while True:
            answers.flush()
            facts, pixels = zip(*_decode_chunk(pickle.load(requests), image_size, resize), strict=True)
            pickle.dump((facts, list(map(len, pixels))), answers)
            for picture in pixels:  # not pickled: that would copy them
                answers.write(picture)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError  # the process ended in the middle of a picture
    return content


def _sources(paths: list[str]) -> list[Source]:
    if all(map(is_file, paths)):
        return list(paths)
    far = [path for path in paths if not is_file(path)]
    contents = dict(zip(far, read_all(far), strict=True))
    return [contents.get(path, path) for path in paths]


def _decode_chunk(sources: list[Source], image_size: int, resize: str) -> list[Answer]:
    answers: list[Answer] = []
    for source in sources:
        try:
            pixels, facts = decode(source, image_size, resize)
            content = pixels.data.cast("B")
            answers.append(({**facts, "crc32": zlib.crc32(content), "alike": perceptual_hash(pixels)}, content))
        except Unreadable as error:
            answers.append(({**error.facts, "reason": str(error)}, b""))
    return answers
