"""One picture in the style of another by adaptive instance normalisation (Huang and Belongie 2017).

The decoder here only learns to give two pictures back from what the encoder says of them. One for a collection takes
thousands of steps: `python -m keras_art adain train`, whose run holds an encoder and a decoder to load.
"""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

import keras_art
from keras_art.atelier import paint
from keras_art.methods.adain import networks

STEPS, OUT = 10, Path("stylised.png")
keras.utils.set_random_seed(0)

content, style = (paint(index, image_size=48)[0] for index in (0, 4))  # (height, width, 3) uint8, RGB
vgg = keras.applications.VGG19(include_top=False, weights=None)  # weights="imagenet" where there is a network
encoder, decoder = networks.make_encoder(vgg), networks.make_decoder()

both = np.stack([content, style]).astype("float32")
networks.calibrate(encoder, both)  # filters drawn at random say nearly the same of every picture
maps = encoder.predict(both, verbose=0)[-1]
networks.calibrate(decoder, maps)
decoder.compile(keras.optimizers.Adam(1e-4), "mse")
history = decoder.fit(maps, both, epochs=STEPS, verbose=0).history["loss"]
print(f"reconstruction: {history[0]:.0f} at first, {history[-1]:.0f} after {STEPS} steps (mean square, of 0 to 255)")

Image.fromarray(keras_art.stylise(encoder, decoder, content, style, alpha=0.8)).save(OUT)
print(f"wrote {OUT}")
