"""Models, grids, seeds and presets."""

import pytest
from minimal_config import MINIMAL, load, problems

from vame_pipe.config import loading
from vame_pipe.core.errors import InputError


def test_variants_override_model_and_train():
    loaded = load(models={"small": {"zdims": 4, "beta": 0.5}, "vame": {}})
    model, train = loaded.variant("small")
    assert (model.zdims, train.beta) == (4, 0.5)
    assert loaded.variant("vame")[0].zdims == 30
    (line,) = problems(models={"x": {"zdmis": 4}})
    assert "models.x.zdmis is not a key of model or train" in line


def test_a_grid_makes_one_model_per_combination():
    entry = {"grid": {"zdims": [8, 16], "learning_rate": [1e-3, 0.01]}, "seeds": [1, 2], "beta": 2}
    loaded = load(models={"vame": entry})
    assert list(loaded.variants) == [
        f"vame-z{z}-lr{lr}-s{s}" for z in (8, 16) for lr in ("0.001", "0.01") for s in (1, 2)
    ]
    model, train = loaded.variant("vame-z16-lr0.001-s2")
    assert (model.zdims, train.learning_rate, train.seed, train.beta) == (16, 1e-3, 2, 2)
    assert set(loaded.entries.values()) == {"vame"}
    more = entry | {"grid": {"zdims": [4, 8, 16], "learning_rate": [1e-3, 0.01]}}
    again = load(models={"vame": more})
    assert loaded.variants.items() <= again.variants.items()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"m": {"grid": {"zdmis": [1]}}}, "models.m.grid.zdmis is not a key of model or train"),
        ({"m": {"grid": [8, 16]}}, "models.m.grid must be a mapping"),
        ({"m": {"grid": {}}}, "models.m.grid must be a mapping"),
        ({"m": {"grid": {"zdims": 8}}}, "models.m.grid.zdims must be a list of distinct values"),
        ({"m": {"grid": {"zdims": [8, 8]}}}, "m.grid.zdims must be a list of distinct values"),
        (
            {"m": {"zdims": 4, "grid": {"zdims": [8]}}},
            "models.m: zdims is set both directly and in",
        ),
        (
            {"m": {"seeds": [1], "grid": {"seed": [8]}}},
            "models.m: seed is set both directly and in",
        ),
        ({"m": {"seeds": [1], "seed": 8}}, "models.m: seed is set both directly and in"),
        ({"m": {"grid": {"zdims": [8]}}, "m-z8": {}}, "models.m and models.m-z8 both expand to"),
        ({"m": {"grid": {"zdims": ["many"]}}}, "models.m-zmany: zdims: Input should be a valid"),
        ({"m": {"seeds": 3}}, "models.m.seeds must be a list of distinct values"),
    ],
)
def test_grids_that_make_no_models_are_named(models, message):
    (line,) = problems(models=models)
    assert message in line


def test_a_model_can_have_several_seeds():
    loaded = load(models={"z8": {"zdims": 8, "seeds": [1, 2, 30]}, "b": {}})
    assert list(loaded.variants) == ["z8-s1", "z8-s2", "z8-s30", "b"]
    variants = {name: loaded.variant(name) for name in loaded.variants}
    assert [train.seed for _, train in variants.values()] == [1, 2, 30, 0]
    assert [model.zdims for model, _ in variants.values()] == [8, 8, 8, 30]


def test_the_published_settings_fill_in_what_is_not_set():
    loaded = load(models={"vame": {"preset": "vame", "learning_rate": 1e-4}, "ours": {}})
    model, train = loaded.variant("vame")
    assert (train.learning_rate, train.batch_size) == (1e-4, 256)
    assert (train.decay_fraction, train.max_grad_norm) == (0, None)
    assert model.for_preset(train.preset).dropout_pred == 0
    model, train = loaded.variant("ours")
    assert (train.learning_rate, train.for_device("cpu").batch_size) == (1e-2, 64)
    assert train.for_device("cuda:0").batch_size == 256
    assert model.for_preset(train.preset).dropout_pred == 0.5


def test_the_published_weights_depend_on_batch_size_and_latent_dimensions():
    """VAME adds the mean KL over dimensions and batch once to errors summed over the batch."""
    models = {
        "published": {"preset": "vame"},
        "small": {"preset": "vame", "zdims": 10, "batch_size": 64},
        "own": {"preset": "vame", "zdims": 10, "beta": 0.5},
        "by_device": {"preset": "vame", "batch_size": None},
    }
    loaded = load(models=models)
    weights = {n: (t.beta, t.spectral_weight) for n in models for _, t in [loaded.variant(n)]}
    assert weights["published"] == weights["by_device"] == (1 / (256 * 30), 0.1 / 256)
    assert weights["small"] == (1 / (64 * 10), 0.1 / 64)
    assert weights["own"] == (0.5, 0.1 / 256)


def test_one_value_in_two_spellings_is_one_model():
    grid = {"learning_rate": ["1e-3", 0.002]}  # YAML reads 1e-3 as text
    loaded = load(models={"m": {"grid": grid}})
    assert loaded.variants["m-lr0.001"] == {"learning_rate": 0.001}
    grid = {"learning_rate": ["1e-3", 0.001]}
    with pytest.raises(InputError, match="must be a list of distinct values"):
        loading.load(MINIMAL | {"models": {"m": {"grid": grid}}})
