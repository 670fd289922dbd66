import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vame_pipe.config.sections import Train
from vame_pipe.training.schedule import Schedule


@given(
    max_epochs=st.integers(1, 50),
    decay=st.floats(0, 0.9),
    steps_per_epoch=st.integers(1, 300),
    warmup=st.integers(0, 100),
)
def test_the_learning_rate_rises_stays_and_falls(max_epochs, decay, steps_per_epoch, warmup):
    settings = Train(max_epochs=max_epochs, decay_fraction=decay)
    schedule = Schedule.plan(steps_per_epoch, settings)
    rates = np.array([schedule.relative_rate(step, warmup) for step in range(schedule.n_steps)])
    assert len(rates) == max_epochs * steps_per_epoch
    assert (rates > 0).all() and (rates <= 1).all()
    flat = rates[warmup : schedule.plateau_steps]
    assert (flat == 1).all()
    falling = rates[max(warmup, schedule.plateau_steps) :]
    assert (np.diff(falling) < 0).all()


def test_a_plateau_without_improvement_ends_and_the_decay_follows():
    settings = Train(max_epochs=100, patience=3, decay_fraction=0.5)
    schedule = Schedule.plan(10, settings)
    schedule.update(epochs_done=11, best_epoch=8, settings=settings)
    assert (schedule.decay_start_epoch, schedule.n_epochs) == (50, 100)
    schedule.update(epochs_done=12, best_epoch=8, settings=settings)
    assert (schedule.decay_start_epoch, schedule.n_epochs) == (12, 24)
    assert schedule.stop == "no better validation loss for 3 epochs"
