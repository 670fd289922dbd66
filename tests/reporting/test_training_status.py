"""Why the table of the tracking quality has to be made again."""

import shutil

import pytest

from vame_pipe.config.configuration import Config
from vame_pipe.config.sections import Qc
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.reporting.items import Item
from vame_pipe.reporting.quality_table import write_quality_table
from vame_pipe.reporting.training_status import find_quality

SESSIONS = ["sim-1", "sim-2"]


@pytest.fixture
def made(data, tmp_path):
    """The table of two sessions, and their fingerprints."""
    for name in ("aligned", "windows"):
        shutil.copytree(data / name, tmp_path / name)
    layout = Layout(tmp_path)
    write_quality_table(layout, SESSIONS, Qc(), {}, {"dark": "too dark"}, {})
    found = {n: read_record(AlignedMetadata, layout.aligned(n)).fingerprint for n in SESSIONS}
    return layout, found


def status(layout, aligned, qc=None, why="too dark", **changed):
    sessions = {name: {"poses": "a.csv", "fps": 30} | changed for name in aligned}
    sessions["dark"] = {"poses": "a.csv", "fps": 30, "exclude": why}
    align = {"centre": "tailbase", "forward": "nose"}
    config = Config.model_validate({"sessions": sessions, "align": align, "qc": qc or {}})
    items = {n: Item("align", n, "done", fingerprint=each) for n, each in aligned.items()}
    item = find_quality(layout, config, items, Item("windows", "windows", "done"))
    return item.state, item.causes


def test_it_is_done_if_nothing_changed(made):
    assert status(*made) == ("done", ())


@pytest.mark.parametrize(
    ("aligned", "settings", "causes"),
    [
        ({"sim-3": "f"}, {}, ["session sim-3 is new"]),
        ({"sim-2": "other"}, {}, ["session sim-2 was aligned again"]),
        ({}, {"qc": {"warn_valid": 0.5}}, ["qc.warn_valid was 0.8, is 0.5"]),
        (
            {},
            {"px_per_cm": 9},
            [f"session {name}: px_per_cm was not set, is 9.0" for name in SESSIONS],
        ),
        ({}, {"why": None}, ["session dark: exclude was too dark, is not set"]),
        (
            {},
            {"why": "no tail"},
            ["session dark: exclude was too dark, is no tail"],
        ),
    ],
)
def test_each_change_is_named(made, aligned, settings, causes):
    layout, found = made
    assert status(layout, found | aligned, **settings) == ("outdated", tuple(causes))


def test_a_session_that_was_removed_is_named(made):
    layout, found = made
    del found["sim-1"]
    assert status(layout, found) == ("outdated", ("session sim-1 was removed",))


def test_a_damaged_table_is_made_again(made):
    layout, found = made
    layout.qc.write_bytes(b"PAR1")
    state, (cause,) = status(layout, found)
    assert state == "outdated" and str(layout.qc) in cause
