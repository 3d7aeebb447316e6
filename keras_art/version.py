"""The version of keras_art, which names caches and stands in every run's environment."""

__version__ = "0.2.0"
