"""Lottery tickets of a Keras model of one's own (Frankle and Carbin 2019)."""

import keras
import numpy as np

import keras_art
from keras_art.atelier import ARTISTS, paint

SIZE, EPOCHS, STAGES = 32, 3, 3
keras.utils.set_random_seed(0)
paintings = [paint(index, image_size=SIZE) for index in range(128)]
pictures = np.stack([picture for picture, _ in paintings]).astype("float32") / 255
styles = sorted({artist.style for artist in ARTISTS})
labels = np.array([styles.index(said["style"]) for _, said in paintings])


class Train(keras.utils.PyDataset):
    """Batches of your pictures and labels; a tf.data.Dataset does as well."""

    def __len__(self) -> int:
        return len(pictures) // 32

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        batch = slice(32 * index, 32 * index + 32)
        return pictures[batch], labels[batch]


convolutions = [keras.layers.Conv2D(channels, 3, 2, activation="relu") for channels in (16, 32)]
head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(len(styles), "softmax")]
model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *convolutions, *head])  # yours

ticket = keras_art.find_tickets(model, Train(workers=1), epochs=EPOCHS, stages=STAGES, rate=0.5, learning_rate=0.05)
for stage in range(STAGES):
    kept = ticket.masks(stage).values()
    whole = sum(mask.sum() for mask in kept) / sum(mask.size for mask in kept)
    print(f"stage {stage}: {whole:.0%} are left; of each kernel", ", ".join(f"{mask.mean():.0%}" for mask in kept))
