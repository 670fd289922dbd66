import json

import jsonschema
import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.config import check, loading
from vame_pipe.core.errors import InputError

MINIMAL = {
    "sessions": {"a": {"poses": "a.csv", "fps": 30}},
    "align": {"centre": "tail", "forward": "nose"},
}


def problems(**changes):
    with pytest.raises(InputError) as error:
        loading.load(MINIMAL | changes)
    return error.value.problems


def test_schema_file_is_that_of_the_model():
    assert (ROOT / "workflow/schemas/config.schema.json").read_text() == loading.schema()


def test_default_configuration_agrees_with_model_and_schema():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    jsonschema.validate(raw, json.loads(loading.schema()))
    loaded = loading.load(ROOT / "config.yaml")
    assert list(loaded.sessions) == ["sim-1", "sim-2", "sim-3", "sim-4"]


def test_defaults_are_vames():
    loaded = loading.load(MINIMAL)
    assert loaded.model.zdims == 30
    assert loaded.model.hidden_size_layer_1 == 256
    assert loaded.results == "results"
    assert list(loaded.models) == ["vame"]


def test_all_problems_are_reported_together_one_line_each():
    found = problems(
        sessions={"bad name": {"poses": "a.csv", "fps": 30}, "b": {"poses": "b.csv", "fps": "x"}},
        trian={},
        train={"max_epochs": 0},
        model={"zdim": 3},
    )
    assert len(found) == 5
    assert all("\n" not in line for line in found)
    text = "\n".join(found)
    for part in ("bad name", "sessions.b.fps", "'train'", "train.max_epochs", "'zdims'"):
        assert part in text


def test_wrong_settings_do_not_hide_wrong_files(recordings, tmp_path):
    raw = MINIMAL | {
        "results": str(tmp_path / "r"),
        "sessions": {
            "gone": {"poses": "nowhere.csv", "fps": 30},
            "here": {"poses": str(recordings / "sim-1.csv"), "fps": 30},
        },
        "align": {"centre": "belly", "forward": "nose"},
        "unknown": 1,
    }
    with pytest.raises(InputError) as error:
        check.load(raw, made={})
    unknown, gone, belly = error.value.problems
    assert "unknown is not a known key" in unknown
    assert "session gone: nowhere.csv: no such file" in gone
    assert "session here: keypoint 'belly'" in belly and "tailbase, tail_tip" in belly


def test_keypoints_of_recordings_yet_to_be_made_are_checked(tmp_path):
    raw = MINIMAL | {"results": str(tmp_path / "r")}
    assert check.load(raw, made={"a.csv": ("nose", "tail")}).align.centre == "tail"
    with pytest.raises(
        InputError, match=r"keypoint 'tail' is not in its file, which has: nose, hip"
    ):
        check.load(raw, made={"a.csv": ("nose", "hip")})


def test_results_below_a_file_are_not_writable(tmp_path):
    (tmp_path / "file").touch()
    (line,) = loading.writable_problems(tmp_path / "file" / "results")
    assert "is not writable" in line
    assert loading.writable_problems(tmp_path / "new" / "results") == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_unequal_fps_need_a_common_one():
    sessions = {"a": {"poses": "a.csv", "fps": 30}, "b": {"poses": "b.csv", "fps": 25}}
    (line,) = problems(sessions=sessions)
    assert "25 fps: b; 30 fps: a" in line and "align.fps" in line
    align = MINIMAL["align"] | {"fps": 25}
    assert loading.load(MINIMAL | {"sessions": sessions, "align": align}).align.fps == 25


def test_keys_that_occur_twice_are_found(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("sessions:\n  a: {poses: a.csv, fps: 30}\n  a: {poses: b.csv, fps: 30}\n")
    assert loading.repeated_keys(path) == [
        f"config file {path}, line 3: sessions.a occurs twice. Rename or remove one."
    ]


def test_sheet_of_sessions(tmp_path):
    sheet = tmp_path / "sessions.tsv"
    sheet.write_text(
        "session\tposes\tfps\tgroup\tage\nm1\tm 1.csv\t25\tcontrol\tP60\nm2\tm2.h5\t25\t\t\n"
    )
    sessions = loading.load(MINIMAL | {"sessions": str(sheet)}).sessions
    assert sessions["m1"].poses == "m 1.csv"
    assert sessions["m1"].group == "control"
    assert sessions["m1"].metadata == {"age": "P60"}
    assert sessions["m2"].group is None


def test_sheet_problems_name_their_lines(tmp_path):
    sheet = tmp_path / "sessions.csv"
    sheet.write_text("session,poses,fps\na,a.csv,30\na,b.csv,30\nc,c.csv,fast\n")
    found = problems(sessions=str(sheet))
    assert "line 3: session 'a' occurs twice" in found[0]
    assert "line 4: fps of 'c' is 'fast'" in found[1]


def test_variants_override_model_and_train():
    loaded = loading.load(MINIMAL | {"models": {"small": {"zdims": 4, "beta": 0.5}, "vame": {}}})
    model, train = loaded.variant("small")
    assert (model.zdims, train.beta) == (4, 0.5)
    assert loaded.variant("vame")[0].zdims == 30
    (line,) = problems(models={"x": {"zdmis": 4}})
    assert "models.x.zdmis is not a key of model or train" in line


@given(st.text(min_size=1, max_size=12) | st.text("aZ0._-", min_size=1, max_size=4))
def test_session_names_are_restricted(name):
    allowed = all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    allowed = allowed and name[0] not in ".-"  # no path upwards, no option of a command
    raw = MINIMAL | {"sessions": {name: {"poses": "a.csv", "fps": 30}}}
    if allowed:
        assert list(loading.load(raw).sessions) == [name]
    else:
        with pytest.raises(InputError, match="letters, digits"):
            loading.load(raw)


def test_a_grid_makes_a_model_of_every_combination():
    entry = {"grid": {"zdims": [8, 16], "learning_rate": [1e-3, 0.01]}, "seeds": [1, 2], "beta": 2}
    loaded = loading.load(MINIMAL | {"models": {"vame": entry}})
    assert list(loaded.variants) == [
        f"vame-z{z}-lr{lr}-s{s}" for z in (8, 16) for lr in ("0.001", "0.01") for s in (1, 2)
    ]
    model, train = loaded.variant("vame-z16-lr0.001-s2")
    assert (model.zdims, train.learning_rate, train.seed, train.beta) == (16, 1e-3, 2, 2)
    assert set(loaded.entries.values()) == {"vame"}
    more = entry | {"grid": {"zdims": [4, 8, 16], "learning_rate": [1e-3, 0.01]}}
    again = loading.load(MINIMAL | {"models": {"vame": more}})
    assert loaded.variants.items() <= again.variants.items()


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"m": {"grid": {"zdmis": [1]}}}, "models.m.grid.zdmis is not a key of model or train"),
        ({"m": {"grid": [8, 16]}}, "models.m.grid must be a mapping"),
        ({"m": {"grid": {}}}, "models.m.grid must be a mapping"),
        ({"m": {"grid": {"zdims": 8}}}, "models.m.grid.zdims must list different values"),
        ({"m": {"grid": {"zdims": [8, 8]}}}, "models.m.grid.zdims must list different values"),
        ({"m": {"zdims": 4, "grid": {"zdims": [8]}}}, "models.m: zdims is given twice"),
        ({"m": {"seeds": [1], "grid": {"seed": [8]}}}, "models.m: seed is given twice"),
        ({"m": {"grid": {"zdims": [8]}}, "m-z8": {}}, "models.m and models.m-z8 both make"),
        ({"m": {"grid": {"zdims": ["many"]}}}, "models.m-zmany: zdims: Input should be a valid"),
        ({"m": {"seeds": 3}}, "models.m.seeds must list different values"),
    ],
)
def test_grids_that_make_no_models_are_named(models, said):
    (line,) = problems(models=models)
    assert said in line


def test_credentials_belong_into_the_environment():
    (line,) = problems(mlflow={"tracking_uri": "https://me:secret@lab.example/mlflow"})
    assert "MLFLOW_TRACKING_PASSWORD" in line and "secret" not in line


def test_a_section_without_a_line_below_it_has_its_defaults():
    empty = loading.load(MINIMAL | {"model": None, "train": None, "keypoints": None})
    assert empty == loading.load(MINIMAL)


def test_a_model_can_have_several_seeds():
    loaded = loading.load(MINIMAL | {"models": {"z8": {"zdims": 8, "seeds": [1, 2, 30]}, "b": {}}})
    assert list(loaded.variants) == ["z8-s1", "z8-s2", "z8-s30", "b"]
    variants = {name: loaded.variant(name) for name in loaded.variants}
    assert [train.seed for _, train in variants.values()] == [1, 2, 30, 0]
    assert [model.zdims for model, _ in variants.values()] == [8, 8, 8, 30]


def test_the_published_recipe_fills_in_what_is_not_set():
    loaded = loading.load(
        MINIMAL | {"models": {"vame": {"preset": "vame", "learning_rate": 1e-4}, "ours": {}}}
    )
    model, train = loaded.variant("vame")
    assert (train.learning_rate, train.batch_size, train.decay, train.clip) == (1e-4, 256, 0, None)
    assert model.for_preset(train.preset).dropout_pred == 0
    model, train = loaded.variant("ours")
    assert (train.learning_rate, train.for_device("cpu").batch_size) == (1e-2, 64)
    assert train.for_device("cuda:0").batch_size == 256
    assert model.for_preset(train.preset).dropout_pred == 0.5


def test_the_published_weights_follow_batch_size_and_latent():
    """VAME adds mean KL over dimensions and batch once to errors summed over the batch."""
    models = {
        "published": {"preset": "vame"},
        "small": {"preset": "vame", "zdims": 10, "batch_size": 64},
        "own": {"preset": "vame", "zdims": 10, "beta": 0.5},
    }
    loaded = loading.load(MINIMAL | {"models": models})
    weights = {n: (t.beta, t.spectral_weight) for n in models for _, t in [loaded.variant(n)]}
    assert weights["published"] == (1 / (256 * 30), 0.1 / 256)
    assert weights["small"] == (1 / (64 * 10), 0.1 / 64)
    assert weights["own"] == (0.5, 0.1 / 256)


def test_one_value_in_two_spellings_is_one_model():
    grid = {"learning_rate": ["1e-3", 0.002]}  # YAML reads 1e-3 as text
    loaded = loading.load(MINIMAL | {"models": {"m": {"grid": grid}}})
    assert loaded.variants["m-lr0.001"] == {"learning_rate": 0.001}
    grid = {"learning_rate": ["1e-3", 0.001]}
    with pytest.raises(InputError, match="must list different values"):
        loading.load(MINIMAL | {"models": {"m": {"grid": grid}}})


def test_the_resolved_configuration_makes_the_same_models():
    """Also where a preset fills in what is not set."""
    models = {
        "plain": {"zdims": 4},
        "published": {"preset": "vame", "learning_rate": 1e-4},
        "sweep": {"grid": {"zdims": [4, 8], "beta": [0.5, 1]}, "seeds": [1, 2]},
        "both": {"grid": {"preset": [None, "vame"]}, "seeds": [3]},
    }
    for train in ({}, {"beta": 2.0}, {"preset": "vame", "patience": 7}):
        loaded = loading.load(MINIMAL | {"models": models, "train": train})
        again = loading.load(loaded.resolved())
        assert set(again.variants) == set(loaded.variants)
        for name in loaded.variants:
            before, after = (settings.variant(name) for settings in (loaded, again))
            assert [part.model_dump() for part in after] == [part.model_dump() for part in before]
            device = before[1].for_device("cpu"), after[1].for_device("cpu")
            assert device[0] == device[1]
