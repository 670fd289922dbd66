"""What the figures of the motifs show."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from vame_pipe.core.colours import MOTIF_COLOURS
from vame_pipe.core.motif_quality import MotifQuality
from vame_pipe.motifs import figures


def quality(representation, n, rand, chosen=False):
    numbers = (rand, 0.02, 0.4, -8.5, 0.6, 12.0, 2)
    return MotifQuality(representation, n, "shared", *numbers, chosen=chosen)


def bouts_of(session, motifs, seconds=1.0, individual="mouse"):
    start = seconds * np.arange(len(motifs))
    columns = {"session": session, "individual": individual, "motif": motifs, "start_s": start}
    return pd.DataFrame(
        columns | {"end_s": start + seconds - 0.1, "duration_s": np.full(len(motifs), seconds)}
    )


def usage_of(session, individual="mouse", n_motifs=3):
    columns = {"session": session, "individual": individual, "motif": np.arange(n_motifs)}
    return pd.DataFrame(columns | {"n_rows": 10})


def test_bars_are_percentages_in_the_colour_of_the_motif():
    bars = figures.draw_usage(np.array([0.6, 0.4])).axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([60, 40])
    assert [to_hex(bar.get_facecolor()).upper() for bar in bars] == list(MOTIF_COLOURS[:2])


def test_an_ethogram_has_the_motif_of_each_time_and_nothing_in_a_gap():
    bouts = pd.concat([bouts_of("a", [0, 1]), bouts_of("b", [2]).assign(start_s=1.0, end_s=1.9)])
    figure = figures.draw_ethograms(bouts, pd.concat([usage_of("a"), usage_of("b"), usage_of("c")]))
    cells = figure.axes[0].images[0].get_array().filled(-1)
    assert cells.shape == (3, figures.N_COLUMNS)
    first = round(figures.N_COLUMNS / 1.9)
    assert (cells[0, :first] == 0).all() and (cells[0, first:] == 1).all()
    assert (cells[1, :first] == -1).all() and (cells[1, first:] == 2).all()
    assert (cells[2] == -1).all()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]


def test_of_many_animals_the_first_are_drawn_and_named_in_full(monkeypatch):
    monkeypatch.setattr(figures, "MAX_LINES", 1)
    usage = pd.concat([usage_of("a", "mum"), usage_of("a", "pup")])
    axis = figures.draw_ethograms(bouts_of("a", [0], individual="mum"), usage).axes[0]
    assert axis.get_title() == "The first 1 of 2 animals"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a, mum"]


def test_a_project_without_a_bout_still_has_an_ethogram():
    figure = figures.draw_ethograms(bouts_of("a", []), usage_of("a"))
    assert (figure.axes[0].images[0].get_array().filled(-1) == -1).all()


def test_the_quality_of_latents_is_next_to_that_of_pca():
    scan = [quality("latents", 4, 0.8, True), quality("latents", 6, 0.7), quality("pca", 4, None)]
    agreement = figures.draw_quality(scan).axes[0]
    drawn = {line.get_label(): line for line in agreement.get_lines()}
    assert drawn["chosen (4)"].get_xdata()[0] == 4
    latents, pca = (each.lines[0].get_ydata().astype(float) for each in agreement.containers)
    assert list(latents) == [0.8, 0.7] and np.isnan(pca).all()
