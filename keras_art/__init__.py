"""keras_art: deep-learning studies of art, reproduced in Keras 3."""

__version__ = "0.1.0"


class UserError(Exception):
    """What a person can mend; the message names the remedy."""
