"""Loops of their own: clustering, style transfer, lottery tickets."""
