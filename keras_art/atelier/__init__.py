"""The embedded collection: little paintings, and photographs to learn from first, both made by procedure.

A painting is composed as flat polygons (its type), seen in a palette, painted stroke by stroke in a style by the
hand of an artist, and laid on a material. All four are known because they were chosen before the first stroke.
"""

from keras_art.atelier.artists import ARTISTS, Artist
from keras_art.atelier.making import HALVES, contact_sheet, make_atelier, paint

__all__ = ["ARTISTS", "HALVES", "Artist", "contact_sheet", "make_atelier", "paint"]
