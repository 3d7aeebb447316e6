"""keras_art: deep-learning studies of art, reproduced in Keras 3."""

from keras_art.version import __version__ as __version__
