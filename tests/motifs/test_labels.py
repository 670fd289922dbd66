"""Which bouts are sure, and their numbers, for any sequence of motifs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.motifs.labels import number_bouts, sure_rows
from vame_pipe.windows.data import number_stretches

BOUTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4), st.floats(0, 1)), min_size=1, max_size=12
)
"""Motif, rows and confidence of stretches; neighbours with the same motif are one bout."""


@settings(max_examples=50, deadline=None)
@given(BOUTS, st.integers(0, 40), st.floats(0, 1))
def test_a_bout_is_kept_as_a_whole_and_numbered_among_those_of_its_animal(bouts, second, least):
    sizes = [size for _, size, _ in bouts]
    motif = np.repeat([motif for motif, _, _ in bouts], sizes)
    confidence = np.repeat([value for _, _, value in bouts], sizes).astype(np.float32)
    animal = (np.arange(len(motif)) >= second).astype(int)
    stretch = number_stretches(motif, animal)
    sure = sure_rows(stretch, confidence, least)
    for number in np.unique(stretch):
        own = stretch == number
        assert sure[own].all() or not sure[own].any()
        assert sure[own].all() == (confidence[own].astype(float).mean() >= least) or np.isclose(
            confidence[own].astype(float).mean(), least
        )
    number = number_bouts(stretch[sure], animal[sure])
    for one in (0, 1):
        own = animal[sure] == one
        kept = list(dict.fromkeys(stretch[sure][own].tolist()))
        assert number[own].tolist() == [kept.index(each) for each in stretch[sure][own]]
