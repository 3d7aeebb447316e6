"""Models: backbones, heads, losses, and what a trained network looks at.

Importing this wing registers its classes, those below, with Keras; with `keras_art.methods` imported too,
`keras.saving.load_model` opens whatever keras_art has saved.
"""

from keras_art.networks.attention import AttentionPrior as AttentionPrior
from keras_art.networks.attention import SpatialAttention as SpatialAttention
from keras_art.networks.gram import GramMatrix as GramMatrix
from keras_art.networks.gram import GramTriangle as GramTriangle
from keras_art.networks.layers import BatchNormalization2018 as BatchNormalization2018
from keras_art.networks.layers import DropConnect as DropConnect
from keras_art.networks.layers import Preprocessing as Preprocessing
from keras_art.networks.losses import FocalLoss as FocalLoss
from keras_art.networks.votes import NearestNeighbours as NearestNeighbours
