"""YAML files."""

import pytest

from vame_pipe.config import loading, yaml_file
from vame_pipe.core.errors import InputError


def test_keys_that_occur_twice_are_found(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("sessions:\n  a: {poses: a.csv, fps: 30}\n  a: {poses: b.csv, fps: 30}\n")
    assert yaml_file.read(path)[1] == [
        f"config file {path}, line 3: sessions.a occurs twice. Rename or remove one."
    ]


def test_numbers_and_dates_are_names_of_sessions(tmp_path):
    path = tmp_path / "config.yaml"
    session = "{poses: a.csv, fps: 30}"
    path.write_text(
        f"sessions:\n  007: {session}\n  2024-03-05: {session}\n  yes: {session}\n"
        "align: {centre: tail, forward: nose}\n"
    )
    assert list(loading.load(path).sessions) == ["007", "2024-03-05", "yes"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "expected a mapping of settings, found ['a']"),
        ("", "expected a mapping of settings, found None"),
        ("a: [\n", "line 2, column 1: is not YAML (did not find expected node content)."),
        ("a: 1\n b: 2\n", "line 2, column 3: is not YAML (mapping values are not allowed in"),
        ("a:\n\tb: 1\n", "line 2: has a tab, which YAML does not allow here. Replace it by"),
        ("a: \x00", "cannot be read ("),
        ("? [a]\n: b\n", "line 1, column 3: is not YAML (a key is not text)"),
        ("a: !!python/object:os.system {}\n", "line 1, column 4: is not YAML (could not determine"),
    ],
)
def test_files_that_hold_no_settings_are_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        yaml_file.read(path)
    (line,) = error.value.problems
    assert line.startswith(f"config file {path}") and message in line


def test_without_a_configuration_the_message_says_how_to_get_one(tmp_path):
    with pytest.raises(InputError, match=r"config\.yaml: no such file\. .*`vame-pipe init "):
        yaml_file.read(tmp_path / "config.yaml")


def test_a_merge_key_is_filled_in_and_no_repeated_key(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("m1: &m1 {poses: a.csv, fps: 30}\nm2: {<<: *m1, poses: b.csv}\n")
    content, problems = yaml_file.read(path)
    assert content["m2"] == {"poses": "b.csv", "fps": 30} and not problems


def test_a_day_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("metadata: {start: 2026-13-45}\n")
    with pytest.raises(InputError, match=r"config\.yaml: cannot be read .*month"):
        yaml_file.read(path)
