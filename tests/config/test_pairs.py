"""Contradictions between groups, subjects and pairs are found before anything is computed."""

import pytest
from minimal_config import load

from vame_pipe.config import check, pairs
from vame_pipe.config.sections import Session
from vame_pipe.core.errors import InputError


def sessions(**members):
    """Sessions of (group, subject, pair) each."""
    keys = ("group", "subject", "pair")
    return {
        n: Session(poses="a.csv", **dict(zip(keys, m, strict=True))) for n, m in members.items()
    }


def test_an_animal_in_two_pairs_is_refused():
    found = {
        "d1": {"poses": "a.csv", "fps": 30, "group": "c", "subject": "m1", "pair": "litter 1"},
        "d2": {"poses": "b.csv", "fps": 30, "group": "t", "subject": "m1", "pair": "litter 2"},
    }
    with pytest.raises(InputError) as error:
        load(sessions=found)
    (line,) = error.value.problems
    assert line == (
        "config: subject m1 is in the pairs litter 1 (sessions.d1), litter 2 (sessions.d2), but an animal "
        "belongs to one pair. Correct pair or subject."
    )
    found["d2"]["pair"] = None
    load(sessions=found)


def test_a_pair_in_one_group_is_named():
    found = sessions(
        a=("c", None, "1"), b=("t", None, "1"), c=("c", None, "2"), d=(None, None, "3")
    )
    (line,) = pairs.warnings(found)
    assert line.startswith("pair 2 (c) is in one group only: a pair needs an animal in each of two")
    assert pairs.problems(found) == []


def test_an_animal_in_several_groups_is_named_if_others_are_not():
    twice = {"a1": ("c", "a", None), "a2": ("t", "a", None)}
    (line,) = pairs.warnings(sessions(**twice, b=("c", None, None)))
    assert line.startswith(
        "subject a is in several groups, so it is compared with itself; b is in one"
    )
    before_and_after = twice | {"b1": ("c", "b", None), "b2": ("t", "b", None)}
    assert pairs.warnings(sessions(**before_and_after)) == []
    assert pairs.warnings(sessions(a=("c", None, None), b=("t", None, None))) == []
    assert pairs.warnings(sessions(a=("c", "a", None), b=("c", "a", None))) == []


def test_the_check_warns_of_it(tmp_path):
    one = {"poses": "a.csv", "fps": 30, "pair": "1"}
    config = load(sessions={"m1": one | {"group": "c"}}, results=str(tmp_path / "results"))
    assert any(line.startswith("pair 1 (c)") for line in check.warnings(config, on_cluster=False))


def test_a_group_for_each_animal_is_named():
    found = sessions(a=("x", None, None), b=("y", None, None), c=("z", None, None))
    (line,) = pairs.warnings(found)
    assert line.startswith(
        "each of 3 animals is in a group of its own: no difference can be tested"
    )
    assert not pairs.warnings(sessions(a=("x", None, None), b=("y", None, None)))
    more = sessions(**{n: (g, None, None) for n, g in zip("abcd", "xyzz", strict=True)})
    assert not pairs.warnings(more)
