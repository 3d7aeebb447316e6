"""Pictures of a tf.data.Dataset of one's own, grouped by how they look: DCEC's loop in the open (Guo et al. 2017)."""

import keras
import numpy as np
import tensorflow as tf
from sklearn.cluster import KMeans

import keras_art
from keras_art.atelier import paint
from keras_art.methods.dcec.network import autoencoder
from keras_art.methods.dcec.objective import target_distribution

SIZE, CLUSTERS, PRETRAINING, UPDATES = 32, 4, 20, 4  # the paper pretrains for 200 epochs

pictures = np.stack([paint(index, image_size=SIZE)[0] for index in range(64)])  # (n, SIZE, SIZE, 3) uint8, RGB
images = tf.data.Dataset.from_tensor_slices(pictures).batch(16)  # yours, in a fixed order

encoder, decoder = autoencoder(SIZE, embedding=10)
pretraining = keras_art.Autoencoder(encoder, decoder)
pretraining.compile("adam")
pretraining.fit(images, epochs=PRETRAINING, shuffle=False, verbose=0)

kmeans = KMeans(CLUSTERS, n_init=10, random_state=0).fit(encoder.predict(images, verbose=0))
model = keras_art.DCEC(encoder, decoder, CLUSTERS)
model.clustering.centroids.assign(kmeans.cluster_centers_)
model.compile(keras.optimizers.Adam(1e-4))
clusters = kmeans.labels_
for _ in range(UPDATES):
    embedding, q = model.assigner.predict(images, verbose=0)
    changed, clusters = np.mean(q.argmax(axis=1) != clusters), q.argmax(axis=1)
    print(f"{changed:.1%} changed; images in each cluster: {np.bincount(clusters, minlength=CLUSTERS)}")
    target = tf.data.Dataset.from_tensor_slices(target_distribution(q)).batch(16)
    model.fit(tf.data.Dataset.zip(images, target), shuffle=False, verbose=0)
