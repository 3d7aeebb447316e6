"""A collection stylised class by class: each image encoded once, or content and style anew for every output.

    python -m benchmarks.stylising [--images 96] [--image_size 128] [--rounds 3]

The same networks, pairs and files; the outputs in float32 are compared.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from benchmarks import interleaved, report
from keras_art import backend
from keras_art.methods.adain import networks, stylising
from keras_art.pictures.images import decode

EVERY, ONCE, HALF = "encoded every time", "encoded once", "encoded once, by bfloat16"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    backend.make_repeatable()  # as runs compute
    size = asked.image_size
    vgg = keras.applications.VGG19(include_top=False, weights=None, input_shape=(size, size, 3))
    encoder, decoder = networks.make_encoder(vgg), networks.make_decoder()
    pixels = np.random.default_rng(0).integers(0, 256, (asked.images, size, size, 3), dtype=np.uint8)
    pairs = stylising.draw_pairs(np.arange(asked.images) % asked.classes, seed=0)
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name.replace(" ", "_") for name in (EVERY, ONCE, HALF)}
        paths = {name: [folder / f"{i:05d}.jpg" for i in range(len(pairs))] for name, folder in folders.items()}
        networks_of = {ONCE: (encoder, decoder), HALF: networks.computing(encoder, decoder, "mixed_bfloat16")}

        def once(way: str) -> None:
            for path in paths[way]:
                path.unlink(missing_ok=True)
            stylising.stylise_pairs(*networks_of[way], pixels, pairs.assign(path=list(map(str, paths[way]))))

        def every_time() -> None:
            deep = keras.Model(encoder.input, encoder.outputs[-1])
            for start in range(0, len(pairs), 8):
                batch = pairs.iloc[start : start + 8]
                contents, styles = (deep.predict_on_batch(pixels[batch[role]]) for role in ("content", "style"))
                target = ops.convert_to_numpy(networks.adain(contents, networks.statistics(styles)))
                outputs = np.rint(np.clip(decoder.predict_on_batch(target), 0, 255)).astype(np.uint8)
                for path, picture in zip(paths[EVERY][start : start + 8], outputs, strict=True):
                    stylising.save(picture, path)

        ways = {EVERY: every_time, **{way: functools.partial(once, way) for way in networks_of}}
        interleaved(ways, 1)
        times = interleaved(ways, asked.rounds)
        gaps = [
            np.abs(decode(a, size)[0].astype(int) - decode(b, size)[0]).max()
            for a, b in zip(paths[EVERY], paths[ONCE], strict=True)
        ]
    print(f"{asked.images} images of {size} pixels in {asked.classes} classes\n")
    report(times, [(EVERY, ONCE), (EVERY, HALF), (ONCE, HALF)], asked.images)
    print(f"\nlargest difference between the outputs in float32: {max(gaps)} of 255")


if __name__ == "__main__":
    main()
