"""A network off the shelf, whose features a classifier of scikit-learn learns from (Sabatelli et al. 2018)."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_art
from keras_art.atelier import paint

SIZE = 64
# weights="imagenet" where there is a network, or a file; None draws them at random, and features say little.
backbone = keras_art.load_backbone("MobileNetV2", image_size=SIZE, weights=None)
features = keras_art.feature_extractor(backbone)

paintings = [paint(index, image_size=SIZE) for index in range(96)]  # your pictures, RGB, 0 to 255, and labels
pictures = np.stack([picture for picture, _ in paintings])
labels = [said["material"] for _, said in paintings]

x = features.predict(pictures, verbose=0)  # (n, 1280)
classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
scores = cross_val_score(classifier, x, labels, cv=3)
majority = max(labels.count(label) for label in labels) / len(labels)
print(f"accuracy {scores.mean():.2f} over three folds, majority class {majority:.2f}")
