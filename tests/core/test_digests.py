import json
import os
import shutil

from vame_pipe.core import digests
from vame_pipe.core.digests import pose_digests
from vame_pipe.core.files import file_fingerprint


def test_digests_are_of_the_content_and_only_changed_files_are_read(tmp_path, monkeypatch):
    one, two, cache = tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "cache.json"
    one.write_text("a")
    two.write_text("b")
    found = pose_digests([one, two], cache)
    assert found == {str(p): file_fingerprint(p) for p in (one, two)}
    read = []

    def counted(path):
        read.append(path)
        return file_fingerprint(path)

    monkeypatch.setattr(digests, "file_fingerprint", counted)
    assert pose_digests([one, two], cache, save=False) == found and read == []
    one.write_text("c")
    assert pose_digests([one, two], cache, save=False)[str(one)] != found[str(one)]
    assert read == [str(one)]


def test_a_file_put_in_place_with_its_old_time_stamp_is_noticed(tmp_path):
    """Same size, same time stamp, as a restored backup may have."""
    poses, backup, cache = tmp_path / "m.csv", tmp_path / "backup.csv", tmp_path / "cache.json"
    for path, text in ((poses, "now"), (backup, "old")):
        path.write_text(text)
        os.utime(path, ns=(10**18, 10**18))
    before = pose_digests([poses], cache)
    shutil.copy2(backup, poses)
    assert poses.stat().st_mtime_ns == 10**18
    assert pose_digests([poses], cache) != before


def test_a_damaged_cache_is_replaced(tmp_path):
    path, cache = tmp_path / "m.csv", tmp_path / "cache.json"
    path.write_text("x")
    found = pose_digests([path], cache)
    for damage in ("{", "[1]", "", '{"m.csv": 1}', '{"m.csv": "x"}'):
        cache.write_text(damage)
        assert pose_digests([path], cache) == found
        assert json.loads(cache.read_text())[str(path)][1] == found[str(path)]
