"""HDF5 files as pandas writes them with PyTables, damaged files, and files that attack the reader."""

import os
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
import tables
from pose_files import read_keypoints

from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import read_poses

COORDS = ["x", "y", "likelihood"]


def recording(keypoints=("nose", "tail"), n_frames=50, individuals=None, scorer="net"):
    levels = [[scorer], list(keypoints), COORDS]
    names = ["scorer", "bodyparts", "coords"]
    if individuals:
        levels.insert(1, individuals)
        names.insert(1, "individuals")
    columns = pd.MultiIndex.from_product(levels, names=names)
    values = np.random.default_rng(0).random((n_frames, len(columns)))
    return pd.DataFrame(values, columns=columns)


def write(path, table, format="fixed", key="df_with_missing", **more):
    table.to_hdf(path, key=key, format=format, **more)
    return path


def read(path):
    (poses,) = read_poses(path, 30).values()
    return poses


def refuse(path, match):
    with pytest.raises(InputError, match=match) as error:
        read_poses(path, 30)
    (line,) = error.value.problems
    assert path.name in line and line.isprintable() and len(line) < 500
    return line


@pytest.fixture(params=["fixed", "table"])
def format(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.h5"


def test_values_are_assigned_by_the_names_of_columns(path, format):
    table = recording()
    poses = read(write(path, table, format))
    expected = table.to_numpy().reshape(50, 2, 3)
    np.testing.assert_array_equal(poses.position, expected[..., :2])
    np.testing.assert_array_equal(poses.confidence, expected[..., 2])
    assert poses.keypoints == ("nose", "tail") and poses.first_frame == 0
    assert read_keypoints(path) == ["nose", "tail"]


def test_columns_can_have_several_types_and_any_order(path, format):
    table = recording(("b", "ä"))
    table[("net", "b", "x")] = np.arange(50)
    table[("net", "ä", "y")] = table[("net", "ä", "y")].astype(np.float32)
    table[("net", "b", "likelihood")] = table[("net", "b", "likelihood")] > 0.5
    table = table[table.columns[[4, 0, 1, 2, 3, 5]]]
    poses = read(write(path, table, format))
    assert poses.keypoints == ("ä", "b")
    for k, name in enumerate(poses.keypoints):
        expected = table["net"][name]
        np.testing.assert_array_equal(poses.position[:, k], expected[["x", "y"]].to_numpy(float))
        np.testing.assert_array_equal(
            poses.confidence[:, k], expected["likelihood"].to_numpy(float)
        )


def test_keypoints_can_be_numbered_and_scorers_nameless(path, format):
    poses = read(write(path, recording([1, 2], scorer=""), format))
    assert poses.keypoints == ("1", "2")


def test_several_animals_are_read_without_unique_bodyparts(path, format):
    table = recording(individuals=["mouse"])
    single = table[[c for c in table.columns if c[2] == "tail"]]
    single.columns = pd.MultiIndex.from_tuples(
        [("net", "single", "corner", c[3]) for c in single.columns], names=table.columns.names
    )
    poses = read(write(path, pd.concat([table, single], axis=1), format))
    assert poses.individual == "mouse" and poses.keypoints == ("nose", "tail")
    table = recording(individuals=["a", "b"])
    animals = read_poses(write(path, table, format), 30)
    assert list(animals) == ["a", "b"]
    for name, animal in animals.items():
        expected = table["net"][name].to_numpy().reshape(50, 2, 3)
        np.testing.assert_array_equal(animal.position, expected[..., :2])
        np.testing.assert_array_equal(animal.confidence, expected[..., 2])


def test_the_table_of_poses_is_found_among_others(tmp_path, format):
    table, other = recording(), pd.DataFrame({"a": [1.0, 2.0]})
    both = write(tmp_path / "both.h5", table, format)
    write(both, recording(n_frames=5), key="machinelabels")
    assert len(read(both).position) == 50
    write(tmp_path / "named.h5", table, format, key="tracks/raw")
    write(tmp_path / "named.h5", other, key="other")
    assert len(read(tmp_path / "named.h5").position) == 50
    write(tmp_path / "named.h5", table, key="again")
    refuse(tmp_path / "named.h5", "several tables of poses: again, tracks/raw")
    refuse(write(tmp_path / "other.h5", other, key="other"), "expected column levels scorer")


def test_frames_can_be_counted_from_any_number(path, format):
    table = recording()
    table.index = table.index + 300.0
    assert read(write(path, table, format)).first_frame == 300


def test_analysed_images_are_read_and_labelled_images_refused(path, format, caplog):
    table = recording()
    table.index = [f"img{i}.png" for i in range(50)]
    assert read(write(path, table, format)).position.shape == (50, 2, 2)
    assert "rows are images" in caplog.text
    labelled = table[[c for c in table.columns if c[2] != "likelihood"]]
    refuse(write(path, labelled, format), "human-labelled")


def test_rows_that_are_images_can_name_their_folders(path):
    table = recording()
    table.index = pd.MultiIndex.from_product(
        [["labeled-data"], ["v"], [f"{i}.png" for i in range(50)]]
    )
    assert read(write(path, table)).position.shape == (50, 2, 2)


def test_rows_that_are_dates_are_refused(path):
    table = recording()
    table.index = pd.date_range("2024-01-01", periods=50)
    refuse(write(path, table), "rows are labelled by 'datetime64")


def test_compressed_files_are_read(path, format):
    table = recording(n_frames=5000)
    table.iloc[:, 0] = 1.0
    poses = read(write(path, table, format, complevel=9, complib="zlib"))
    np.testing.assert_array_equal(poses.position[:, 1, 1], table[("net", "tail", "y")])


def test_text_in_a_column_is_a_fault_of_its_keypoint(path):
    table = recording()
    table[("net", "nose", "x")] = "abc"
    poses = read(write(path, table, "table"))
    assert list(poses.faults) == ["nose"] and "is 'abc'" in poses.faults["nose"]


def test_a_file_without_rows_or_poses_is_refused(tmp_path):
    refuse(write(tmp_path / "none.h5", recording(n_frames=0)), "contains a header but no frames")
    refuse(write(tmp_path / "one.h5", recording(n_frames=1)), "contains only one frame")
    with h5py.File(tmp_path / "sleap.h5", "w") as file:
        file["tracks"] = np.zeros(3)
    refuse(tmp_path / "sleap.h5", "without poses of a known format: it has tracks")


def test_data_in_another_file_is_never_read(tmp_path, path):
    """Links and external storage can lead to any other file."""
    secret = write(tmp_path / "other.h5", recording())
    with h5py.File(path, "w") as file:
        file["df_with_missing"] = h5py.ExternalLink(str(secret), "/df_with_missing")
    refuse(path, "without poses of a known format")
    path.unlink()
    write(path, recording())
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        attributes = dict(group["block0_values"].attrs)
        del group["block0_values"]
        raw = [(str(secret), 0, h5py.h5f.UNLIMITED)]
        group.create_dataset("block0_values", (50, 6), "f8", external=raw)
        group["block0_values"].attrs.update(attributes)
    refuse(path, "has its data in another file")


def test_an_absurd_size_is_refused_before_it_is_allocated(path):
    write(path, recording())
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        del group["axis1"]
        group.create_dataset("axis1", (10**12,), "i8", chunks=(1000,), compression="gzip")
        group["axis1"].attrs["kind"] = b"integer"
    refuse(path, "axis1 should have 8000000000000 bytes")


class Attack:
    """An object that runs a command when it is unpickled."""

    def __init__(self, mark):
        self.command = f"touch '{mark}'"

    def __reduce__(self):
        return os.system, (self.command,)


def in_an_attribute(path, attack):
    name = "values_block_0_kind"
    write(path, recording(), "table")
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs[name] = np.bytes_(pickle.dumps(attack, 0))


def in_the_names_of_columns(path, attack):
    write(path, recording(), "table")
    with h5py.File(path, "a") as file:
        file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, attack)], 0))


def in_an_object_array(path, attack, name="block0_values"):
    write(path, recording())
    with tables.open_file(path, "a") as file:
        attributes = file.get_node(f"/df_with_missing/{name}")._v_attrs
        kept = {key: attributes[key] for key in attributes._f_list()}
        file.remove_node("/df_with_missing", name)
        array = file.create_vlarray("/df_with_missing", name, tables.ObjectAtom())
        array.append(attack)
        for key, value in kept.items():
            array._v_attrs[key] = value


def in_the_names_of_keypoints(path, attack):
    in_an_object_array(path, attack, "axis0_level1")


ATTACKS = [in_an_attribute, in_the_names_of_columns, in_an_object_array, in_the_names_of_keypoints]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("read", [read, read_keypoints])
def test_no_code_in_a_file_is_run(tmp_path, path, attack, read):
    mark = tmp_path / "mark"
    attack(path, Attack(mark))
    with pytest.raises(InputError, match="could run code") as error:
        read(path)
    assert len(error.value.problems) == 1 and not mark.exists()
    # the attack works on pandas
    try:
        pd.read_hdf(path)
    except Exception as error:
        print(error)
    assert mark.exists()


def test_a_truncated_file_is_refused(path, format):
    whole = write(path, recording(n_frames=500), format).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refuse(path, "cannot be read as HDF5")


def test_a_file_that_another_program_writes_is_refused_with_the_reason(path):
    write(path, recording())
    with h5py.File(path, "a", locking=True):
        refuse(path, "lock")
    assert len(read(path).position) == 50
