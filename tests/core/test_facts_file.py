"""Records of facts: they come back as they were, and everything else ends in one line."""

import json
from dataclasses import dataclass

import pytest

from vame_pipe import __version__
from vame_pipe.core.errors import InputError
from vame_pipe.core.facts_file import FactsFile


@dataclass(frozen=True)
class Thing:
    name: str
    count: int


FILE = FactsFile(Thing, 2, "a thing", "vame-pipe make")


def test_a_record_comes_back_as_it_was(tmp_path):
    path = tmp_path / "thing.json"
    FILE.write(Thing("motif", 3), path)
    assert FILE.read(path) == Thing("motif", 3)
    versions = {"format_version": 2, "package_version": __version__}
    assert json.loads(path.read_text()) == versions | {"name": "motif", "count": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory). Run vame-pipe make first."),
        (b"{", "is damaged, or not a thing. Delete it and run snakemake."),
        (b"\xff", "is damaged, or not a thing. Delete it and run snakemake."),
        (b"[]", "is damaged, or not a thing. Delete it and run snakemake."),
        (
            b'{"format_version": 2, "package_version": "", "name": "motif"}',
            "is damaged, or not a thing. Delete it and run snakemake.",
        ),
        (
            b'{"format_version": 1, "package_version": "", "name": "motif", "count": 3}',
            "has format 1, this version of vame_pipe reads format 2. Run snakemake or vame-pipe make, "
            "which make it again.",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "thing.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        FILE.read(path)
    assert caught.value.problems == [f"{path}: {message}"]
