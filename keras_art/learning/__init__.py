"""Weights: training, frozen features, and classifiers from pixels to predictions."""
