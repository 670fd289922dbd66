import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from vame_pipe.config.motif_names import MotifName, read_names
from vame_pipe.core.errors import InputError
from vame_pipe.core.schemas import MOTIF_FIELDS
from vame_pipe.motifs.bouts import find_bouts, transitions, usage
from vame_pipe.motifs.labels import number_bouts
from vame_pipe.motifs.names import merge_bouts, resolve, tag, template, with_names

FINGERPRINT = "0123456789abcdef"


def labels(motif: dict[str, list[int]]) -> pa.Table:
    """The motifs of each animal; -1 where there is none."""
    tables = []
    for name, values in motif.items():
        values = np.array(values)
        bout = np.zeros(len(values), int)
        known = np.flatnonzero(values >= 0)
        stretch = np.cumsum(np.diff(known, prepend=known[0]) > 1) * 100 + values[known]
        changes = np.cumsum(np.diff(stretch, prepend=stretch[0]) != 0)
        bout[known] = number_bouts(changes, np.zeros(len(known), int))
        row = np.arange(len(values))
        columns = [["s"] * len(row), [name] * len(row), row, row + 10, row / 10]
        columns += [pa.array(values, pa.int16(), mask=values < 0), [None] * len(row)]
        columns += [np.ones(len(row)), pa.array(bout, pa.int32(), mask=values < 0)]
        table = pa.table(columns, names=[field.name for field in MOTIF_FIELDS])
        tables.append(table.cast(pa.schema(MOTIF_FIELDS)))
    return pa.concat_tables(tables).unify_dictionaries()


def test_merged_neighbours_are_one_bout_but_not_over_a_gap_or_another_animal():
    found = find_bouts(labels({"a": [0, 0, 1, 2, 2, -1, 2, 1], "b": [1, 0, 0, 2]}), fps=10)
    merged = merge_bouts(found, np.array([1, 1, 2])).to_pandas()
    assert merged[["individual", "bout", "motif", "start_row", "end_row"]].to_numpy().tolist() == [
        ["a", 0, 1, 0, 2],
        ["a", 1, 2, 3, 4],
        ["a", 2, 2, 6, 6],
        ["a", 3, 1, 7, 7],
        ["b", 0, 1, 0, 2],
        ["b", 1, 2, 3, 3],
    ]
    np.testing.assert_allclose(merged["duration_s"], [0.3, 0.2, 0.1, 0.1, 0.3, 0.1])
    assert merged["end_frame"].tolist() == [12, 14, 16, 17, 12, 13]


def test_without_merged_motifs_the_bouts_are_unchanged_also_if_there_are_none():
    found = find_bouts(labels({"a": [0, 0, 1, -1, 1, 2], "b": [2, 2, 2]}), fps=10)
    assert merge_bouts(found, np.arange(3)).equals(found)
    assert len(merge_bouts(found.slice(0, 0), np.arange(3))) == 0


def test_usage_and_transitions_count_merged_motifs_as_one():
    found = find_bouts(labels({"a": [0, 0, 1, 2, 0, 1, 1, 2]}), fps=10)
    merged = merge_bouts(found, np.array([1, 1, 2]))
    used = usage(merged, ["a"], "s", 3).to_pandas().set_index("motif")
    assert used["n_rows"].tolist() == [0, 6, 2] and used["n_bouts"].tolist() == [0, 2, 2]
    assert used.loc[1, "median_bout_s"] == pytest.approx(0.3)
    followed = transitions(merged, ["a"], "s").to_pandas()
    assert followed[["source", "target", "count"]].to_numpy().tolist() == [[1, 2, 2], [2, 1, 1]]


def test_chains_of_merges_end_at_their_last_motif_and_numbers_stay():
    rows = [
        MotifName(motif=4, merge_into=1, name="unused"),
        MotifName(motif=1, merge_into=3),
        MotifName(motif=3, name="walk"),
    ]
    motifs = resolve(rows, 5, FINGERPRINT)
    assert [(motif.number, motif.name, motif.members) for motif in motifs] == [
        (0, None, [0]),
        (2, None, [2]),
        (3, "walk", [1, 3, 4]),
    ]
    table = with_names(pa.table({"motif": pa.array([3, 0], pa.int16())}), motifs)
    assert table.to_pydict() == {"motif": [3, 0], "name": ["walk", None]}


def test_motifs_that_do_not_exist_and_names_of_an_earlier_segmentation_are_refused():
    rows = [
        MotifName(motif=5, name="a", segmentation="seg-ffffffff"),
        MotifName(motif=0, merge_into=7),
    ]
    with pytest.raises(InputError) as error:
        resolve(rows, 5, FINGERPRINT)
    first, second, third = error.value.problems
    assert first.startswith("motif_names: motif 5 does not exist: the motifs are 0 to 4.")
    assert second.startswith("motif_names: merge_into 7 does not exist")
    assert "seg-ffffffff, but the motifs were found again (seg-01234567)" in third


def test_the_table_to_fill_in_can_be_read_again(tmp_path):
    rows = [MotifName(motif=1, name='a "rear", <b>', merge_into=None)]
    (tmp_path / "names.csv").write_text(template(3, rows, "vame", FINGERPRINT))
    found, problems = read_names(tmp_path / "names.csv")
    assert problems == [] and len(found) == 3
    assert found[1]["name"] == 'a "rear", <b>' and found[2] == {
        "motif": 2,
        "model": "vame",
        "segmentation": tag(FINGERPRINT),
    }
    resolve([MotifName(**row) for row in found], 3, FINGERPRINT)
    assert pd.read_csv(tmp_path / "names.csv").shape == (3, 5)
