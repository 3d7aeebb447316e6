"""The one place a picture is decoded: verify, orient, convert, resize, hash, store as uint8.

`ImageStore.scan` decodes every picture of a collection once, on all cores, into one raw file of
`(rows, image_size, image_size, 3)` uint8 RGB; a later scan opens only the files that are new or have changed.
What cannot be decoded gets a reason in words and never stops a scan.

How a file becomes RGB:

- the EXIF orientation is applied; of several pages or frames the first is taken; ICC profiles are ignored;
- transparency (alpha, palette, key colour) is laid on white; palette, grey, 1-bit, CMYK and L*a*b* become RGB, and a
  CMYK JPEG is taken to hold its inks inverted, as Adobe writes them;
- 16-bit samples keep their upper 8 bits, so 65,535 is 255;
- 32-bit integers and floats name no white, so a picture's own minimum becomes 0 and its maximum 255;
  a value that is not finite becomes 0.

A worker process runs this file and imports nothing else of the project, so it is ready in a tenth of a second.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import errno
import hashlib
import io
import json
import os
import pickle
import queue
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    import pandas

# Only these are tried: Pillow would hand an EPS file to Ghostscript, which runs programs.
FORMATS = ("JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "JPEG2000")
EXTENSIONS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), "JPEG2000"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm"), "PPM"),
    **{".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP"},
}
UPRIGHT = {  # EXIF orientation tag -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A big JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size that is still GAP times what is asked for.
# 2 is Pillow's own choice for thumbnails: "very close to fair resampling".
GAP = 2.0

VERSION = 1  # of the store's files
CHUNK = 16  # pictures a worker is given at a time
ROUND = 1024  # pictures between two chances to write the index
FLUSH_SECONDS = 5.0  # a killed scan loses this much work, or one round
# A rough cost of decoding, for a file and for each of its bytes; a worker process needs a tenth of a second to start.
PICTURE_SECONDS, BYTE_SECONDS, WORTH_WORKERS_SECONDS = 1e-4, 1.5e-8, 0.3

T = TypeVar("T")
Decoded = Callable[[Iterable[int], Iterable[list[str]]], Iterator[list[dict[str, Any]]]]


@dataclasses.dataclass(slots=True)
class _Entry:
    """A line of the index."""

    path: str  # absolute
    size: int  # bytes
    mtime_ns: int
    row: int = -1
    width: int = 0
    height: int = 0
    orientation: int = 1
    sha256: str = ""
    mode: str = ""
    format: str = ""
    reason: str = ""


COLUMNS = [field.name for field in dataclasses.fields(_Entry)]
TOLD = ["row", "sha256", "width", "height", "mode", "format", "orientation", "reason"]  # of a path by a scan


class Unreadable(Exception):
    """A file which is not a picture that can be used; its text is the reason, for people.

    `facts` holds what was known by then; without `sha256` the file's bytes could not be read at all.
    """

    def __init__(self, reason: str, facts: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.facts = facts or {}


def _squash(image: Image.Image, image_size: int) -> Image.Image:
    return image.resize((image_size, image_size), Image.Resampling.BILINEAR, reducing_gap=GAP)


def _squash_nearest(image: Image.Image, image_size: int) -> Image.Image:
    return image.resize((image_size, image_size), Image.Resampling.NEAREST)


def _crop(image: Image.Image, image_size: int) -> Image.Image:
    left, top = (image.width - image.height) / 2, (image.height - image.width) / 2
    square = (max(0, left), max(0, top), image.width - max(0, left), image.height - max(0, top))
    return image.resize((image_size, image_size), Image.Resampling.BILINEAR, square, reducing_gap=GAP)


def _pad(image: Image.Image, image_size: int) -> Image.Image:
    inner = _contain(image, image_size)
    padded = Image.new("RGB", (image_size, image_size))
    padded.paste(inner, ((image_size - inner.width) // 2, (image_size - inner.height) // 2))
    return padded


def _contain(image: Image.Image, longest_side: int) -> Image.Image:
    scale = longest_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=GAP)


RESIZE = {
    "squash": _squash,  # both sides to image_size, aspect ratio not kept, bilinear with antialiasing
    "squash_nearest": _squash_nearest,  # the same by nearest neighbour: load_img of the Keras of 2018
    "crop": _crop,  # shorter side to image_size, then the centre
    "pad": _pad,  # longer side to image_size, centred on black
}


def decode(path: str | Path, image_size: int, resize: str = "squash") -> tuple[np.ndarray, dict[str, Any]]:
    """Decodes one picture.

    Args:
        path: an image file.
        image_size: side of the square that comes back, in pixels.
        resize: a name in `RESIZE`.

    Returns:
        The pixels, (image_size, image_size, 3) uint8 RGB, and the facts of the file: `sha256` of its bytes, `width`
        and `height` once upright, Pillow's `mode` and `format`, and the EXIF `orientation` (1 to 8).

    Raises:
        Unreadable: it is not a picture that can be used.
    """
    whole = resize == "squash_nearest"  # nearest picks its pixels from the full picture
    return _decode(path, None if whole else image_size, lambda image: RESIZE[resize](image, image_size))


def load_photo(path: str | Path, longest_side: int) -> np.ndarray:
    """Decodes one picture at its own aspect ratio, for a figure.

    Returns:
        (height, width, 3) uint8 RGB, the longer of height and width being `longest_side`.

    Raises:
        Unreadable: it is not a picture that can be used.
    """
    return _decode(path, longest_side, lambda image: _contain(image, longest_side))[0]


def _decode(
    path: str | Path, at_least: int | None, resize: Callable[[Image.Image], Image.Image]
) -> tuple[np.ndarray, dict[str, Any]]:
    facts: dict[str, Any] = {}
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")
            facts["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
            if file.tell() == 0:
                raise Unreadable("empty file (0 bytes)")
            with Image.open(file, formats=FORMATS) as image:
                facts["width"], facts["height"] = image.size
                facts |= {"mode": image.mode, "format": image.format}
                _check(image, os.path.splitext(path)[1].lower())
                if at_least and image.format in ("JPEG", "MPO"):
                    image.draft(None, (int(GAP * at_least), int(GAP * at_least)))
                # Loading turns a TIFF upright and drops its tag; a PNG's tag may lie behind its pixels.
                turned = _orientation(image) if image.format == "TIFF" else 1
                image.load()
                orientation = _orientation(image)
                if orientation >= 5:
                    facts["width"], facts["height"] = facts["height"], facts["width"]
                facts["orientation"] = max(turned, orientation)
                upright = image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image
                return np.asarray(resize(_to_rgb(upright))), facts
    except Unreadable as error:
        raise Unreadable(str(error), facts) from None
    except MemoryError:  # a fact of the machine, not of the file: without facts, so that the next scan tries again
        raise Unreadable("not enough memory to decode it") from None
    except Exception as error:  # Pillow's readers raise nearly every type there is on damaged files
        raise Unreadable(_in_words(error), facts) from error


def _check(image: Image.Image, extension: str) -> None:
    content = "JPEG" if image.format == "MPO" else image.format  # MPO: a JPEG followed by further ones
    if EXTENSIONS.get(extension, content) != content:
        raise Unreadable(f"extension says {EXTENSIONS[extension]}, content is {content}")
    if min(image.size) < 1:
        raise Unreadable(f"no pixels: {image.width} x {image.height}")
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise Unreadable(
            f"too large: {image.width} x {image.height} is above the limit of {Image.MAX_IMAGE_PIXELS:,} pixels"
        )


def _orientation(image: Image.Image) -> int:
    try:
        tag = int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF beside a sound picture
        return 1
    return tag if tag in UPRIGHT else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)  # max - min overflows float32
        finite = np.isfinite(values)
        if not finite.any():
            raise Unreadable("no pixel holds a finite number")
        low, high = values[finite].min(), values[finite].max()
        scaled = 255 * ((np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float64).tiny))
        return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _in_words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image ({', '.join(FORMATS)}), or damaged in its first bytes"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: its header claims more than twice the limit of {Image.MAX_IMAGE_PIXELS:,} pixels"
    if "truncated" in str(error).lower():
        return f"truncated, the file ends before the picture does ({error})"
    return f"damaged ({type(error).__name__}: {error})"


class ImageStore:
    """Pictures decoded once, kept as uint8 in a folder.

    `pixels.u8` grows by whole pictures; `index.csv` says which file, of what size and time, is which row, and why a
    file has none. The index is renamed into place after the pixels it speaks of are on disk, so a killed scan is
    continued by the next one, which overwrites whatever lies behind the last indexed row.

    Args:
        directory: the store's folder, made where it does not exist.
        image_size: side of the stored squares, in pixels.
        resize: a name in `RESIZE`.

    Raises:
        ValueError: `resize` is no rule, `image_size` no size, or the folder holds a store with other settings.
    """

    def __init__(self, directory: Path, image_size: int, resize: str = "squash") -> None:
        if resize not in RESIZE or image_size < 1:
            raise ValueError(f"resize is one of {', '.join(RESIZE)} and image_size at least 1: {resize}, {image_size}")
        self.directory, self.image_size, self.resize = Path(directory), image_size, resize
        self._shape = (image_size, image_size, 3)
        self._bytes = image_size * image_size * 3  # of one picture
        self._pixels = self.directory / "pixels.u8"
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {"version": VERSION, "image_size": image_size, "resize": resize}
        about = self.directory / "store.json"
        if not about.exists():
            _write(about, json.dumps(settings))
        if (stored := json.loads(about.read_text())) != settings:
            raise ValueError(
                f"{self.directory} holds pictures stored as {stored}, asked for were {settings}: "
                "delete the folder to decode them again, or name another"
            )

    def scan(
        self,
        paths: Sequence[str | Path],
        progress: Callable[[int, int], None] | None = None,
        workers: int | None = None,
    ) -> pandas.DataFrame:
        """Decodes what is new or changed among `paths` and says what is known of each.

        Args:
            paths: image files, in any order, repeats allowed.
            progress: called with (decoded so far, to decode) as the scan goes on.
            workers: processes to decode with; 1 decodes in this one, None decides by the work there is.

        Returns:
            A row for each of `paths`, in their order: `path` as given, `row` in `pixels()` (-1: unreadable), `sha256`,
            `width`, `height`, `mode`, `format`, `orientation`, and `reason` ("" where there is a row).

        Raises:
            OSError: the disk is full, or the store cannot be written.
        """
        import pandas as pd
        from filelock import FileLock

        with FileLock(self.directory / "lock"):
            index = self._read_index()
            absolute = [os.path.abspath(path) for path in paths]
            entries: dict[str, _Entry] = {}
            new = []
            for path in dict.fromkeys(absolute):
                entry, known = _look(path), index.get(path)
                if known and known.size == entry.size and known.mtime_ns == entry.mtime_ns:
                    entry = known
                elif not entry.reason:
                    new.append(entry)
                entries[path] = entry
            if new:
                seconds = sum(PICTURE_SECONDS + BYTE_SECONDS * entry.size for entry in new)
                if workers is None:
                    workers = 1 if seconds < WORTH_WORKERS_SECONDS else os.cpu_count() or 1
                self._store(new, index, progress or (lambda done, total: None), workers)
        told = attrgetter(*TOLD)
        table = pd.DataFrame([told(entries[path]) for path in absolute], columns=TOLD)
        table.insert(0, "path", [str(path) for path in paths])
        return table

    def pixels(self) -> np.ndarray:
        """Every stored picture, (rows, image_size, image_size, 3) uint8 RGB: a read-only map of the file."""
        rows = _rows(self._read_index())
        if rows == 0:  # an empty file cannot be mapped
            return np.zeros((0, *self._shape), np.uint8)
        return np.memmap(self._pixels, np.uint8, "r", shape=(rows, *self._shape))

    def _read_index(self) -> dict[str, _Entry]:
        path = self.directory / "index.csv"
        if not path.exists():
            return {}
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            lines = csv.reader(file)
            next(lines)
            index = {line[0]: _entry(line) for line in lines}
        if self._pixels.stat().st_size < _rows(index) * self._bytes:
            raise ValueError(f"{self._pixels} is shorter than its index says: delete {self.directory} to decode anew")
        return index

    def _write_index(self, index: dict[str, _Entry]) -> None:
        with open(self._pixels, "rb") as file:
            os.fsync(file.fileno())
        text = io.StringIO(newline="")
        csv.writer(text).writerows([COLUMNS, *map(attrgetter(*COLUMNS), index.values())])
        _write(self.directory / "index.csv", text.getvalue())

    def _store(
        self,
        new: list[_Entry],
        index: dict[str, _Entry],
        progress: Callable[[int, int], None],
        workers: int,
    ) -> None:
        """Decodes `new`, appends the pixels, fills in the entries and adds them to `index`."""
        row_of = {entry.sha256: entry.row for entry in index.values() if entry.row >= 0}
        rows, done, flushed = _rows(index), 0, time.monotonic()
        self._pixels.touch()
        try:
            try:
                with open(self._pixels, "r+b", buffering=0) as file, self._decoders(file, workers) as decoded:
                    for batch in _parts(new, ROUND):
                        # Chunk after chunk is written where it belongs if no picture is unreadable or a duplicate.
                        # The answers come in order, so a later picture is moved down only over what has been seen.
                        paths = [entry.path for entry in batch]
                        answers = decoded(range(rows, rows + len(paths), CHUNK), _parts(paths, CHUNK))
                        for entry, (slot, facts) in zip(
                            batch, enumerate(chain.from_iterable(answers), rows), strict=True
                        ):
                            for name, value in facts.items():
                                setattr(entry, name, value)
                            if not entry.reason and entry.sha256 not in row_of:
                                if rows < slot:
                                    file.seek(slot * self._bytes)
                                    _write_pixels(file, rows * self._bytes, file.read(self._bytes))
                                row_of[entry.sha256] = rows
                                rows += 1
                            if not entry.reason:
                                entry.row = row_of[entry.sha256]
                            if entry.sha256:  # its bytes were read, so this holds until the file changes
                                index[entry.path] = entry
                            done += 1
                            progress(done, len(new))
                        if time.monotonic() - flushed > FLUSH_SECONDS:
                            self._write_index(index)
                            flushed = time.monotonic()
            finally:
                os.truncate(self._pixels, rows * self._bytes)
                self._write_index(index)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: the {len(new) - done:,} pictures still to store need "
                f"{(len(new) - done) * self._bytes:,} bytes in {self.directory}; those already stored are kept",
            ) from error

    @contextlib.contextmanager
    def _decoders(self, file: BinaryIO, workers: int) -> Iterator[Decoded]:
        """Yields what decodes chunks into the file, given their first slots and paths, and gives the facts in order."""
        if workers == 1:
            yield partial(map, partial(_decode_chunk, file, self.image_size, self.resize))
            return
        crew = [_Worker(str(self._pixels), self.image_size, self.resize) for _ in range(workers)]
        idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in crew:
            idle.put(worker)

        def decode_chunk(slot: int, paths: list[str]) -> list[dict[str, Any]]:
            worker = idle.get()
            try:
                return worker.decode(slot, paths)
            finally:
                idle.put(worker)

        threads = ThreadPoolExecutor(workers)  # a thread only waits for its worker's answer
        try:
            yield partial(threads.map, decode_chunk)
        finally:
            threads.shutdown(cancel_futures=True)
            for worker in crew:
                worker.stop()


class _Worker:
    """One Python process that decodes chunks into the store's file, started again when a picture has ended it.

    Not `multiprocessing`, whose processes import the caller's main module: a notebook or a script without
    `if __name__ == "__main__"` may scan too.
    """

    def __init__(self, pixels: str, image_size: int, resize: str) -> None:
        self.settings = (pixels, image_size, resize)
        self.start()

    def start(self) -> None:
        self.ready = False
        command = [sys.executable, "-P", __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def decode(self, slot: int, paths: list[str]) -> list[dict[str, Any]]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            if not self.ready:
                pickle.dump(self.settings, stdin)
                stdin.flush()
                self.ready = pickle.load(stdout)
            pickle.dump((slot, paths), stdin)
            stdin.flush()
            answer = pickle.load(stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = self.stop()
            if not self.ready:
                raise RuntimeError(
                    f"{sys.executable} ended with status {status} when started to decode: scan with workers=1"
                ) from None
            self.start()
            if len(paths) > 1:  # find the one it was
                return [facts for i, path in enumerate(paths) for facts in self.decode(slot + i, [path])]
            return [{"reason": f"decoding it ended the process (status {status})"}]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def stop(self) -> int:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError), self.process:
            pass  # closes the pipes and waits
        return self.process.returncode


def _work() -> None:
    """What a worker process does: decode what comes on its standard input until that is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that scans
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    scanner = os.getppid()
    pixels, image_size, resize = pickle.load(requests)
    answer: object = True
    with open(pixels, "r+b", buffering=0) as file:
        while True:
            pickle.dump(answer, answers)
            answers.flush()
            try:
                slot, paths = pickle.load(requests)
            except EOFError:
                return
            try:
                answer = _decode_chunk(file, image_size, resize, slot, paths, scanner)
            except OSError as error:
                answer = error


def _decode_chunk(
    file: BinaryIO, image_size: int, resize: str, slot: int, paths: list[str], scanner: int | None = None
) -> list[dict[str, Any]]:
    """Decodes pictures into the file from the given slot on; an unreadable one leaves its slot black."""
    pixels = np.zeros((len(paths), image_size, image_size, 3), np.uint8)
    answer = []
    for i, path in enumerate(paths):
        try:
            pixels[i], facts = decode(path, image_size, resize)
        except Unreadable as error:
            facts = {**error.facts, "reason": str(error)}
        answer.append(facts)
    if scanner and os.getppid() != scanner:
        raise SystemExit  # the scan was killed, its lock is free, and another may be writing here
    _write_pixels(file, slot * pixels[0].nbytes, pixels)
    return answer


def _write_pixels(file: BinaryIO, offset: int, pixels: Any) -> None:
    file.seek(offset)
    left = memoryview(pixels).cast("B")
    while left:  # a nearly full disk takes a part before it refuses
        left = left[file.write(left) :]


def _look(path: str) -> _Entry:
    """An entry of what the file system says, with a reason where there is no file to open."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        return _Entry(path, -1, -1, reason=_in_words(error))
    entry = _Entry(path, status.st_size, status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode):
        entry.reason = "a folder, not a file" if stat.S_ISDIR(status.st_mode) else "not a file"
    return entry


def _entry(line: list[str]) -> _Entry:
    size, mtime_ns, row, width, height, orientation = map(int, line[1:7])
    return _Entry(line[0], size, mtime_ns, row, width, height, orientation, *line[7:])


def _rows(index: dict[str, _Entry]) -> int:
    return 1 + max((entry.row for entry in index.values()), default=-1)


def _parts(values: list[T], size: int) -> list[list[T]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
    os.replace(part, path)


if __name__ == "__main__":
    _work()
