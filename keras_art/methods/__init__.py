"""Loops of their own: clustering, style transfer, lottery tickets.

Importing this wing registers its classes, those below, with Keras; with `keras_art.networks` imported too,
`keras.saving.load_model` opens whatever keras_art has saved.
"""

from keras_art.methods.adain.networks import ReflectionPadding as ReflectionPadding
from keras_art.methods.dcec.joint import DCEC as DCEC
from keras_art.methods.dcec.joint import Autoencoder as Autoencoder
from keras_art.methods.dcec.network import ClusteringLayer as ClusteringLayer
from keras_art.methods.dcec.network import Pixels as Pixels
from keras_art.methods.tickets.optimizer import MaskedSGD as MaskedSGD
