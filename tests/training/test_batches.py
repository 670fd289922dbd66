import numpy as np
import pytest
import torch

from vame_pipe.training.batches import BLOCK, WindowBatches

FRAMES = np.arange(400, dtype=np.float32).reshape(200, 2)


@pytest.mark.parametrize("memory_gib", [None, 1e-9])
def test_windows_come_in_the_order_of_their_starts(memory_gib):
    """Also if they are streamed in more than one block."""
    batches = WindowBatches(FRAMES, "cpu", memory_gib)
    assert batches.is_streaming == (memory_gib is not None)
    starts = torch.from_numpy(np.random.default_rng(0).integers(0, 195, 2 * BLOCK + 10))
    gathered = list(batches.gather(starts, 2, 5))
    assert [len(batch) for batch in gathered] == [2] * (BLOCK + 5)
    expected = np.stack([FRAMES[start : start + 5] for start in starts])
    np.testing.assert_array_equal(torch.cat(gathered), expected)


def test_no_windows_are_no_batches():
    assert list(WindowBatches(FRAMES, "cpu").gather(torch.empty(0, dtype=torch.int64), 2, 5)) == []
