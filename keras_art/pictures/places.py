"""Where a picture lies: a file, a member of a shard as if that were a folder, or either behind an address.

    /home/me/cats/1.jpg
    /home/me/train-000.tar/cats/1.jpg           a member of a tar
    /home/me/train-000.parquet/000012           a row with an embedded image
    s3://museum/train-000.tar/cats/1.jpg        the same in an object store

Addresses are those of fsspec, and what its clients need to know (keys, endpoints, anonymous access) is their own
configuration. They are read by the process that asks, several at once, and never by those that decode.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from keras_art.pictures import addresses, members
from keras_art.pictures.addresses import Stamp as Stamp
from keras_art.pictures.addresses import is_address as is_address
from keras_art.pictures.addresses import whole as whole

AT_ONCE = 16  # asked of a server
NOTHING: Stamp = (-1, -1, -1)


def parted(place: str) -> tuple[str, str]:
    """A shard and the member in it; of what is no shard's, itself and ""."""
    lower = place.lower()
    if ".tar/" not in lower and ".parquet/" not in lower:
        return place, ""
    for suffix in members.SUFFIXES:
        end = lower.find(f"{suffix}/")
        if end >= 0 and (is_address(place) or not os.path.isdir(place[: end + len(suffix)])):
            return place[: end + len(suffix)], place[end + len(suffix) + 1 :]
    return place, ""


def is_file(place: str | Path) -> bool:
    """Whether a picture is a file of its own on a disk: what other programs can open."""
    return not is_address(place) and not parted(str(place))[1]


def read(place: str | Path) -> bytes:
    """What lies there.

    Raises:
        OSError: it is not there, or may not be read.
        UserError: as `read_all`.
    """
    (found,) = read_all([str(place)])
    if isinstance(found, OSError):
        raise found
    return found


def read_all(places: Sequence[str]) -> list[bytes | OSError]:
    """The same for several, those behind addresses at once; what is absent or forbidden is an error in its place.

    Raises:
        UserError: a server does not answer, or what its client needs is not installed.
    """
    found: dict[str, bytes | OSError] = {}
    objects: list[addresses.Part] = []
    for place in map(whole, places):
        file, member = parted(place)
        try:
            if not member and not is_address(place):
                found[place] = Path(place).read_bytes()
            elif not member:
                objects.append((place, file, None, None))
            elif file.lower().endswith(".parquet"):
                found[place] = members.row(file, stamps([file])[0][0], member, functools.partial(source, file))
            else:
                index = members.index(file, stamps([file])[0][0], functools.partial(opened, file))
                if member not in index.spans:
                    raise FileNotFoundError(f"{file} has no member {member}")
                start, end = index.spans[member]
                if is_address(place):
                    objects.append((place, file, start, end))
                else:
                    with open(file, "rb") as shard:
                        shard.seek(start)
                        found[place] = shard.read(end - start)
        except OSError as error:
            found[place] = error
    for system in dict.fromkeys(addresses.system_of(file) for _, file, *_ in objects):
        of_it = [each for each in objects if addresses.system_of(each[1]) is system]
        found |= addresses.fetched(system, of_it)
    return [found[place] for place in map(whole, places)]


def holds(place: str) -> bool:
    """Whether a shard of a disk has a member."""
    file, member = parted(place)
    ((now, _),) = stamps([file])
    if now == NOTHING:
        return False
    if file.lower().endswith(".parquet"):
        return member.isdigit() and int(member) < members.count(file, now)
    return member in members.index(file, now, functools.partial(opened, file)).spans


def stamps(places: Iterable[str | Path]) -> list[tuple[Stamp, OSError | os.stat_result | None]]:
    """What tells that each place is as it was: size, time of the content, time of the last change of any kind.

    Of a member it is its shard's; behind an address the last two are what its server calls the version.

    Returns:
        (-1, -1, -1) and the error where nothing is known, else what the system says of a file, None of an object.

    Raises:
        UserError: as `read_all`.
    """
    files = [(place, is_file(place)) for place in map(str, places)]
    shared = dict.fromkeys(parted(whole(place))[0] for place, plain in files if not plain)
    far = next(filter(is_address, shared), "")
    with addresses.waiting(far) if far else nullcontext(), ThreadPoolExecutor(AT_ONCE) as pool:
        there = dict(zip(shared, pool.map(_version, shared), strict=True))
    return [_stamp(place) if plain else there[parted(whole(place))[0]] for place, plain in files]


def _stamp(file: str) -> tuple[Stamp, OSError | os.stat_result | None]:
    try:
        status = os.stat(file)
    except OSError as error:
        return NOTHING, error
    except ValueError:  # a null character in the path
        return NOTHING, FileNotFoundError(file)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns), status


def _version(file: str) -> tuple[Stamp, OSError | os.stat_result | None]:
    if not is_address(file):
        return _stamp(file)
    try:
        return addresses.stamp_of(addresses.about(file)), None
    except OSError as error:
        return NOTHING, error


def opened(file: str) -> tuple[Any, int]:
    """A file or an object to read from, anywhere in it, and its size.

    Raises:
        OSError, UserError: as `read`.
    """
    if not is_address(file):
        return open(file, "rb"), os.path.getsize(file)
    return source(file), int(addresses.about(file).get("size") or 0)


def source(file: str) -> Any:
    """What libraries open that have files of their own: a path, or an object that is open already.

    Raises:
        OSError, UserError: as `read`.
    """
    if not is_address(file):
        return file
    return addresses.opened(file)
