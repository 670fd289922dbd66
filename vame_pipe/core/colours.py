"""Colours of Okabe and Ito's palette, which colour-blind readers can tell apart."""

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
ORANGE = "#E69F00"

MOTIF_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#CCEE99", "#AA0044"),
    *("#5511EE", "#8877FF", "#33EECC", "#006655", "#775500", "#EEAA99", "#774477", "#DD5555"),
    *("#EEDD00", "#AAAA66", "#CC11BB", "#663322", "#DDBBDD", "#558888", "#223388", "#004455"),
    *("#FF0077", "#55DD66", "#887744", "#88BBBB", "#995566", "#CC0022"),
)
"""Colours of motifs 0 to 29: Okabe-Ito, then others that differ as much as possible from these, from each
other, from white and from no motif, also for people with protanopia or deuteranopia. The last ones are
similar, so numbers are always shown too."""
NO_MOTIF = "#E8E8E8"


def motif_colour(motif: int) -> str:
    """Return the colour of a motif; more than 30 motifs share colours."""
    return MOTIF_COLOURS[motif % len(MOTIF_COLOURS)]
