"""Every format returns what was written, whatever the name of the file."""

import itertools

import h5py
import numpy as np
import pose_files
import pynwb
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pose_files import read_keypoints

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import read_header, read_poses


def assert_same(animals, made):
    """Frames without any point at both ends need not be in the file; a lone animal can be nameless."""
    if len(made.individuals) > 1:
        assert tuple(animals) == made.individuals
    for a, (name, poses) in enumerate(animals.items()):
        assert poses.keypoints == made.keypoints and poses.dimensions == made.position.shape[3]
        assert poses.individual == name
        frames = slice(poses.first_frame, poses.first_frame + len(poses.position))
        np.testing.assert_allclose(poses.position, made.position[frames, a], rtol=1e-12)
        np.testing.assert_allclose(poses.confidence, made.confidence[frames, a], rtol=1e-12)
        rest = np.delete(made.position, frames, axis=0)
        assert np.isnan(rest).all()


@pytest.mark.parametrize("name", pose_files.WRITERS)
def test_several_animals_are_read_as_written(name, tmp_path):
    made, path = pose_files.recording(), tmp_path / "poses"
    pose_files.WRITERS[name](path, made)
    assert_same(read_poses(path, 25), made)
    header = read_header(path)
    format = name.split(".")[0]
    assert header.format == format
    assert header.fps == {"nwb": 25, "movement": 25}.get(format)
    assert read_keypoints(path) == list(made.keypoints)
    assert_same(read_poses(path, 25, format), made)


@pytest.mark.parametrize("name", pose_files.WRITERS_3D)
def test_poses_in_three_dimensions_are_read_as_written(name, tmp_path):
    n_animals = 1 if name == "anipose.csv" else 2
    made, path = pose_files.recording(n_animals=n_animals, n_dimensions=3), tmp_path / "poses"
    pose_files.WRITERS_3D[name](path, made)
    animals = read_poses(path, 25)
    if name == "anipose.csv":
        assert list(animals) == ["id_0"]
        np.testing.assert_array_equal(animals["id_0"].position, made.position[:, 0])
        np.testing.assert_array_equal(animals["id_0"].confidence, made.confidence[:, 0])
    else:
        assert_same(animals, made)
    assert read_header(path).format == name.split(".")[0]


@pytest.mark.parametrize("name", pose_files.WRITERS)
def test_individuals_are_selected_by_name(name, tmp_path):
    made, path = pose_files.recording(n_animals=3), tmp_path / "poses"
    pose_files.WRITERS[name](path, made)
    chosen = read_poses(path, 25, individuals=["c", "a"])
    assert list(chosen) == ["a", "c"]
    np.testing.assert_allclose(chosen["c"].position, made.position[:, 2], rtol=1e-12)
    for function in (read_keypoints, lambda path, **more: read_poses(path, 25, **more)):
        with pytest.raises(InputError) as error:
            function(path, individuals=["a", "x", "y"])
        assert error.value.problems == [
            f"{path}: individuals 'x', 'y' are not in its file, which has: a, b, c. Set individuals to "
            "names from this list."
        ]


@pytest.mark.parametrize("name", pose_files.WRITERS)
def test_an_animal_that_is_never_tracked_is_left_out(name, tmp_path, caplog):
    made, path = pose_files.recording(), tmp_path / "poses"
    made.position[:, 0], made.confidence[:, 0] = np.nan, 0
    pose_files.WRITERS[name](path, made)
    assert list(read_poses(path, 25)) == ["b"]
    if name not in ("sleap-analysis.h5", "sleap.slp"):  # these say in which frames it was found
        assert "never tracked, so left out: 'a'" in caplog.text
    with pytest.raises(InputError, match=r"'a' is missing|coordinate is missing"):
        read_poses(path, 25, individuals=["a"])


@given(
    n_frames=st.integers(2, 40),
    n_animals=st.integers(1, 4),
    seed=st.integers(0, 1000),
    name=st.sampled_from(sorted(pose_files.WRITERS)),
)
@settings(max_examples=20, deadline=None)
def test_recordings_of_any_size_are_read_as_written(
    tmp_path_factory, n_frames, n_animals, seed, name
):
    made = pose_files.recording(n_frames + 8, n_animals, seed=seed)
    path = tmp_path_factory.mktemp("any") / "poses"
    pose_files.WRITERS[name](path, made)
    assert_same(read_poses(path, 25), made)


def test_a_frame_rate_that_contradicts_the_file_is_refused(tmp_path):
    path = tmp_path / "r.nc"
    pose_files.write_movement(path, pose_files.recording(), fps=29.97)
    assert read_poses(path)["a"].fps == 29.97
    assert read_poses(path, 30)["a"].fps == 30
    with pytest.raises(
        InputError, match=r"r\.nc: fps is 25, but the file says 29\.97\. Set fps to 2"
    ):
        read_poses(path, 25)


@pytest.mark.parametrize("name", [name for name in pose_files.WRITERS if name != "deeplabcut.csv"])
def test_a_format_that_is_named_wrongly_is_refused_in_one_line(name, tmp_path):
    path = tmp_path / "poses"
    pose_files.WRITERS[name](path, pose_files.recording())
    formats = ["deeplabcut", "sleap", "sleap-analysis", "sleap-anipose", "nwb", "movement", "jabs"]
    for format in formats:
        if format == name.split(".")[0]:
            continue
        with pytest.raises(
            InputError, match=r"poses: (is not|is an NWB file without|its series)"
        ) as error:
            read_poses(path, 25, format)
        assert len(error.value.problems) == 1


def test_two_files_of_the_same_real_recording_agree(real_poses):
    """SLEAP, NWB and movement, against the other file of the recording."""
    pairs = [
        ("sleap/predictions.slp", "sleap/predictions.analysis.h5"),
        ("vame-sample/cropped_video.csv", "vame-sample/cropped_video.nc"),
        ("vame-sample/cropped_video.csv", "vame-sample/cropped_video.nwb"),
    ]
    (nwb,) = (real_poses / "nwb").glob("*.nwb")
    pairs.append((nwb.relative_to(real_poses), nwb.relative_to(real_poses).with_suffix(".h5")))
    for first, second in pairs:
        a, b = (list(read_poses(real_poses / path, 30).values()) for path in (first, second))
        for one, other in itertools.zip_longest(a, b):
            order = [other.keypoints.index(name) for name in one.keypoints]
            assert len(order) == len(other.keypoints)
            np.testing.assert_allclose(one.position, other.position[:, order], rtol=1e-9)
            scored = ~np.isnan(other.confidence[:, order]) & ~np.isnan(one.confidence)
            ours, theirs = one.confidence[scored], other.confidence[:, order][scored]
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_real_files_of_several_animals_and_in_3d(real_poses):
    mice = read_poses(next((real_poses / "two-mice").glob("*.csv")), 30)
    assert {name: poses.position.shape for name, poses in mice.items()} == {
        "resident": (3600, 7, 2),
        "intruder": (3600, 7, 2),
    }
    flies = read_poses(real_poses / "sleap/predictions.slp", 30)
    assert [poses.position.shape for poses in flies.values()] == [(3000, 13, 2)] * 2
    (mouse,) = read_poses(real_poses / "sleap/autosleap_trajpred.slp", 30).values()
    assert mouse.individual == "id_0" and mouse.position.shape == (763, 6, 2)
    (hand,) = read_poses(real_poses / "dlc-3d/reachingDEMO_3D.h5", 30).values()
    assert hand.position.shape == (800, 33, 3) and np.isnan(hand.confidence).any()
    (paws,) = read_poses(next((real_poses / "lightningpose").glob("*.csv")), 30).values()
    assert paws.position.shape == (2000, 8, 2)


def test_an_hdf5_file_of_another_program_is_refused_with_what_it_has(tmp_path):
    with h5py.File(tmp_path / "facemap.h5", "w") as file:
        file["Facemap/nose/x"] = np.zeros(4)
    with pytest.raises(
        InputError, match=r"without poses of a known format: it has Facemap\. Known"
    ):
        read_poses(tmp_path / "facemap.h5", 30)
    (tmp_path / "old.nc").write_bytes(b"CDF\x01" + bytes(100))
    with pytest.raises(InputError, match=r"is a netCDF file of version 3\. Save it as netCDF 4"):
        read_poses(tmp_path / "old.nc", 30)


AXES = {
    "bsoid-openfield/*.csv": ("bsoid-openfield/*.h5", "Butt/Proximal Tail", "Snout"),
    "odor/Odortest*.csv": ("odor/Odortest*.h5", "TailBase", "Nose"),
    "sleap/predictions.slp": ("sleap/predictions.analysis.h5", "abdomen", "thorax"),
    "vame-sample/*.csv": ("vame-sample/*.n[cw]*", "Tailroot", "Nose"),
    "nwb/*.nwb": ("nwb/*.h5", "tailbase", "snout"),
}


@pytest.mark.parametrize("pattern", AXES)
def test_two_files_of_the_same_real_recording_are_aligned_alike(real_poses, pattern):
    """To the last bit, with all keypoints; without a threshold, as SLEAP's analysis file has no scores."""
    others, centre, forward = AXES[pattern]
    align_settings = Align(centre=centre, forward=forward, min_confidence=0, head_fixed=True)
    (path,) = real_poses.glob(pattern)
    first = read_poses(path, 30)
    names = {name: [name] for name in next(iter(first.values())).keypoints}
    expected = [align(each, align_settings, names) for each in first.values()]
    found = list(real_poses.glob(others))
    assert found
    for other in found:
        aligned = [align(each, align_settings, names) for each in read_poses(other, 30).values()]
        for one, two in zip(expected, aligned, strict=True):
            assert one.names == two.names
            np.testing.assert_array_equal(one.valid, two.valid)
            np.testing.assert_array_equal(one.features, two.features)


def test_real_nwb_and_netcdf_files_are_read_as_their_own_libraries_read_them(real_poses):
    """pynwb with ndx-pose, and xarray: libraries that are not part of the core installation."""
    sample = real_poses / "vame-sample/cropped_video"
    for path in (next((real_poses / "nwb").glob("*.nwb")), sample.with_suffix(".nwb")):
        (found,) = read_poses(path, 30).values()
        with pynwb.NWBHDF5IO(path, "r", load_namespaces=True) as file:
            (estimates,) = (
                each
                for each in file.read().processing["behavior"].data_interfaces.values()
                if each.neurodata_type == "PoseEstimation"
            )
            series = estimates.pose_estimation_series
            for k, name in enumerate(found.keypoints):
                (own,) = (each for key, each in series.items() if key.endswith(name))
                known = np.isfinite(found.position[:, k]).all(axis=1)
                assert known.mean() > 0.9
                np.testing.assert_array_equal(found.position[known, k], own.data[:][known])
                np.testing.assert_array_equal(found.confidence[:, k], own.confidence[:])
    (found,) = read_poses(sample.with_suffix(".nc")).values()
    with xr.open_dataset(sample.with_suffix(".nc"), engine="h5netcdf") as file:
        own = file.isel(individuals=0) if "individuals" in file.dims else file.isel(individual=0)
        axis = "keypoints" if "keypoints" in own.dims else "keypoint"
        assert tuple(own[axis].values) == found.keypoints
        position = own["position"].transpose("time", axis, "space").values
        np.testing.assert_array_equal(found.position, position)
        assert found.fps == own.attrs["fps"]
