from types import SimpleNamespace

import numpy as np
import pytest

from vame_pipe.training import figures

TERMS = ("loss", "reconstruction", "prediction", "kl", "spectral")


def history(n_epochs, prediction=1.0):
    """Metrics that fall from epoch to epoch."""
    return [
        {
            "epoch": epoch,
            "learning_rate": 0.01 / (epoch + 1),
            **{f"train/{name}": 200 / (epoch + 1) for name in TERMS},
            **{f"val/{name}": 100 / (epoch + 1) for name in TERMS},
            "val/prediction": prediction,
            "train/prediction": prediction,
        }
        for epoch in range(n_epochs)
    ]


@pytest.mark.parametrize("n_epochs", [1, 12])
def test_losses_show_both_splits_and_the_best_epoch(n_epochs):
    best = n_epochs - 1
    figure = figures.draw_losses(history(n_epochs), best)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *("train", "validation"),
        f"best epoch ({best})",
    ]
    axis = figure.axes[0]
    train, validation, ring, line = axis.lines
    np.testing.assert_array_equal(train.get_xdata(), np.arange(n_epochs))
    np.testing.assert_allclose(train.get_ydata(), 200 / np.arange(1, n_epochs + 1))
    np.testing.assert_allclose(validation.get_ydata(), 100 / np.arange(1, n_epochs + 1))
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (best, 100 / n_epochs)
    assert list(line.get_xdata()) == [best, best]
    assert axis.get_yscale() == "log" and figure.axes[5].get_yscale() == "linear"
    assert len({line.get_color() for line in (train, validation)}) == 2


def test_a_term_that_is_zero_has_a_linear_axis_and_no_prediction_no_panel():
    zero = [metrics | {"train/kl": 0.0} for metrics in history(3, prediction=0.0)]
    figure = figures.draw_losses(zero, 2)
    assert [axis.get_visible() for axis in figure.axes] == [True, True, False, True, True, True]
    assert [axis.get_yscale() for axis in figure.axes[:2]] == ["log", "log"]
    assert figure.axes[3].get_yscale() == "linear"


@pytest.mark.parametrize(("lowest", "highest"), [(160, 170), (0.3, 2), (1e-4, 1), (1, 5e6)])
def test_logarithmic_axes_have_ticks_with_plain_numbers(lowest, highest):
    figure = figures.draw_spectrum(np.array([highest, lowest], float))
    axis = figure.axes[0]
    figure.draw_without_rendering()
    low, high = axis.get_ylim()
    shown = [
        tick.label1.get_text()
        for tick in axis.yaxis.get_major_ticks()
        if low < tick.get_loc() < high
    ]
    assert len(shown) >= 3
    assert all(float(text.replace("\N{MINUS SIGN}", "-")) > 0 for text in shown)


def test_reconstructions_have_a_row_per_feature_and_a_column_per_window():
    features = ["nose_x", "nose_y", "speed_forward", "turn_rate", "log_speed", "a_x", "b_x", "c_x"]
    meta = SimpleNamespace(features=features, length=4, fps=10.0, align={"scale": True})
    window = np.random.default_rng(0).normal(size=(3, 6, 8))
    figure = figures.draw_reconstructions(window, -window, meta)
    assert len(figure.axes) == figures.MAX_FEATURES * 3
    recorded, reconstructed, predicted = figure.axes[0].lines
    np.testing.assert_array_equal(recorded.get_ydata(), window[0, :, 0])
    np.testing.assert_array_equal(reconstructed.get_ydata(), -window[0, :4, 0])
    np.testing.assert_allclose(predicted.get_xdata(), [0.4, 0.5])
    labels = [axis.get_ylabel() for axis in figure.axes[::3]]
    assert labels[0] == "nose_x\n(body lengths)" and labels[-1] == "c_x\n(body lengths)"
    assert labels[2:4] == ["speed_forward\n(body lengths/s)", "log_speed\n(ln body lengths/s)"]


def test_the_spectrum_of_a_collapsed_latent_space_can_be_drawn():
    for variances in (np.zeros(4), np.array([1e-5, 0.0]), np.array([2.0])):
        left, right = figures.draw_spectrum(variances).axes
        np.testing.assert_array_equal(left.lines[0].get_ydata(), variances)
        assert right.lines[0].get_ydata()[-1] == pytest.approx(float(variances.any()))


def test_the_same_figure_is_the_same_file(tmp_path):
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        figures.save(figures.draw_losses(history(3), 1), path)
    one, two = (path.read_bytes() for path in paths)
    assert one == two and one.startswith(b"\x89PNG")
