"""Where a network of one's own looks: spatial attention at two of its depths (ST-SACLF), drawn over a picture."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

import keras_art
from keras_art.atelier import ARTISTS, paint
from keras_art.networks.attention import attention_maps

SIZE, EPOCHS, OUT = 48, 2, Path("attention.png")
keras.utils.set_random_seed(0)

x = pixels = keras.Input((SIZE, SIZE, 3))  # your network, up to its last maps
for depth, channels in enumerate((16, 32, 64)):
    x = keras.layers.Conv2D(channels, 3, 2, "same", activation="relu", name=f"depth{depth}")(x)
backbone = keras_art.Backbone(keras.Model(pixels, x), preprocessing="unit")  # it takes [0, 1]

paintings = [paint(index, image_size=SIZE) for index in range(64)]  # your pictures and labels
pictures = np.stack([picture for picture, _ in paintings])
styles = sorted({artist.style for artist in ARTISTS})
labels = np.array([styles.index(said["style"]) for _, said in paintings])

model = keras_art.attention_classifier(backbone, ["depth0", "depth1"], classes=len(styles))
model.compile("adam", keras_art.FocalLoss(), metrics=["accuracy"])
model.fit(pictures, labels, epochs=EPOCHS, verbose=0)

maps = attention_maps(model).predict(pictures[:1], verbose=0)  # a list of (1, h, w), each summing to one
strips = [pictures[0]]
for shares in maps:
    light = Image.fromarray((255 * shares[0] / shares[0].max()).astype("uint8")).resize((SIZE, SIZE))
    strips.append((pictures[0] * (np.asarray(light)[..., None] / 255)).astype("uint8"))
Image.fromarray(np.hstack(strips)).save(OUT)
print(f"wrote {OUT}: the picture, and where depths of {', '.join(str(m.shape[1:]) for m in maps)} positions look")
