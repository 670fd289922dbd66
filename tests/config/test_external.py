"""Models that were trained elsewhere."""

import pytest
from minimal_config import MINIMAL

from vame_pipe.config import check, loading
from vame_pipe.core.errors import InputError

LAB = {"file": "lab.pt", "segmentation": "lab"}


def load(models):
    return loading.load(MINIMAL | {"models": models})


def test_a_model_from_elsewhere_is_not_trained():
    config = load({"lab": LAB, "vame": {"seeds": [1, 2]}})
    assert list(config.variants) == ["vame-s1", "vame-s2"]
    assert config.all_models == ["vame-s1", "vame-s2", "lab"]
    assert config.entries == {"vame-s1": "vame", "vame-s2": "vame"}
    assert config.external["lab"].files == [
        "lab.pt",
        "lab/segmentation.npz",
        "lab/segmentation.json",
    ]
    assert config.training_sessions == list(config.sessions)
    assert config.resolved()["models"]["lab"] == LAB


def test_with_no_other_model_every_session_is_only_encoded():
    config = load({"lab": {"file": "models:/mice@best"}})
    assert config.training_sessions == [] and config.new_sessions == list(config.sessions)
    assert config.external["lab"].is_registered and config.external["lab"].files == []


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"lab": {"file": "lab.pt"}}, "models.lab: segmentation is missing"),
        ({"lab": LAB | {"zdims": 3}}, "models.lab: zdims is not a known key. Allowed: file"),
        ({"lab": LAB | {"file": "{a}.pt"}}, "models.lab: file: "),
        ({"v-s1": LAB, "v": {"seeds": [1]}}, "models.v-s1 and models.v both expand to the model"),
        ({"v": {"segmentation": "lab"}}, "models.v.segmentation is not a key of model or train"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(models, message):
    with pytest.raises(InputError) as caught:
        load(models)
    (line,) = caught.value.problems
    assert message in line


def test_files_that_do_not_exist_are_named(tmp_path, recordings):
    session = {"poses": str(recordings / "sim-1.csv"), "fps": 30}
    content = {"sessions": {"m1": session}, "align": {"centre": "tailbase", "forward": "nose"}}
    with pytest.raises(InputError) as caught:
        check.load(content | {"models": {"lab": LAB}, "results": str(tmp_path)}, generated={})
    assert [line.split(": no such file")[0] for line in caught.value.problems] == [
        "models.lab: lab.pt",
        "models.lab: lab/segmentation.npz",
        "models.lab: lab/segmentation.json",
    ]
