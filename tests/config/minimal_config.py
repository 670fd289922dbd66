"""The smallest valid configuration, which the tests change."""

import pytest

from vame_pipe.config import loading
from vame_pipe.core.errors import InputError

MINIMAL = {
    "sessions": {"a": {"poses": "a.csv", "fps": 30}},
    "align": {"centre": "tail", "forward": "nose"},
}


def load(**changes):
    """Load the smallest configuration with changes."""
    return loading.load(MINIMAL | changes)


def problems(**changes):
    """Return what is wrong with the smallest configuration after changes."""
    with pytest.raises(InputError) as error:
        load(**changes)
    return error.value.problems
