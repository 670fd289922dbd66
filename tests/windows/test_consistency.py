import numpy as np

from vame_pipe.windows import consistency

SIDES = np.array([-0.2, 0.2, -0.15, 0.1, 0.0])


def samples(seed, n=200):
    """Smooth features, as an animal's are, of one recording."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 1, (n, 4)), axis=0) * np.exp(-0.01 * np.arange(n))[:, None]


def test_a_filtered_copy_and_an_exact_one_are_found():
    one, two, three = (samples(seed) for seed in range(3))
    kernel = np.ones(3) / 3
    filtered = np.stack([np.convolve(column, kernel, "same") for column in one.T], axis=1)
    filtered[:30] = np.nan
    assert consistency.find_copies(np.stack([one, two, filtered, three, two])) == [[0, 2], [1, 4]]
    assert consistency.find_copies(np.stack([one, two, three])) == []


def test_few_shared_samples_prove_nothing():
    one = samples(0)
    other = one.copy()
    other[14:] = np.nan
    assert consistency.find_copies(np.stack([one, other])) == []


def test_the_session_that_is_mirrored_is_named_and_of_two_both():
    rng = np.random.default_rng(0)
    sessions = SIDES + rng.normal(0, 0.03, (6, 5))
    assert consistency.find_mirrored(sessions) == []
    sessions[4] *= -1
    assert consistency.find_mirrored(sessions) == [4]
    assert consistency.find_mirrored(sessions[3:5]) == [0, 1]
    # keypoints on the midline have no sides, whatever their noise says
    assert consistency.find_mirrored(rng.normal(0, 0.005, (6, 5))) == []
