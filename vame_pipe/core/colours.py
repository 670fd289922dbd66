"""Colours of Okabe and Ito's palette, which colour-blind readers can tell apart."""

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
ORANGE = "#E69F00"

MOTIF_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#0000FF", "#661A00"),
    *("#E6E699", "#33334C", "#0026A6", "#6673FF", "#E6004C", "#003373", "#E6E666", "#F2E600"),
    *("#E69959", "#4CD9A6", "#7399FF", "#4C40E6", "#CCD9FF", "#A63300", "#661A26", "#1A59BF"),
    *("#595980", "#407340", "#736673", "#FF6680", "#CCBFCC", "#0000BF"),
)
"""Colours of motifs 0 to 29. Okabe-Ito, then each as different as possible from those before it, also for
people with protanopia or deuteranopia; the last ones are similar, so numbers are always shown too."""
NO_MOTIF = "#E8E8E8"


def motif_colour(motif: int) -> str:
    """Return the colour of a motif; more than 30 motifs share colours."""
    return MOTIF_COLOURS[motif % len(MOTIF_COLOURS)]
