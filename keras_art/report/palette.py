"""The colours of figures and pages: ten that colour-blind people can tell apart, the same everywhere.

Okabe and Ito's eight, and two more; under protanopia, deuteranopia and tritanopia any two of them stay apart.
"""

from __future__ import annotations

BLUE, VERMILLION, BLACK, GREEN, ORANGE = "#0072B2", "#D55E00", "#000000", "#009E73", "#E69F00"
PURPLE, SKY, WINE, VIOLET, YELLOW = "#CC79A7", "#56B4E9", "#882255", "#6000C0", "#F0E442"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, WINE, VIOLET, BLACK, YELLOW)

# A network has one colour in all figures, those of the 2018 study the paper's own as far as they stay apart.
NETWORKS = {"Xception": BLUE, "ResNet50": VERMILLION, "InceptionV3": BLACK, "VGG19": GREEN}
SCRATCH = ORANGE
OTHERS = (PURPLE, SKY, WINE, VIOLET, YELLOW)  # of other networks and lines, in the order they come
REST = "0.8"  # what has no colour of its own
MORE, LESS = BLUE, VERMILLION  # a difference above and below nothing
SHARES, VALUES, SIGNED = "Blues", "viridis", "RdBu_r"  # matplotlib's maps: of shares, of any values, of signed ones
