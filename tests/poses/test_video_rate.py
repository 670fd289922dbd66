"""Frame rates and lengths of videos, from their headers."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.poses.video_rate import video_facts, video_of


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def track(handler: bytes, timescale: int, duration: int) -> bytes:
    mdhd = box(b"mdhd", struct.pack(">IIIII", 0, 0, 0, timescale, 0))
    hdlr = box(b"hdlr", struct.pack(">II", 0, 0) + handler + bytes(12))
    stts = box(b"stts", struct.pack(">IIIIII", 0, 2, 100, duration, 20, 2 * duration))
    return box(b"trak", box(b"mdia", mdhd, hdlr, box(b"minf", box(b"stbl", stts))))


def mp4(timescale: int, duration: int) -> bytes:
    sound, picture = track(b"soun", 44100, 1024), track(b"vide", timescale, duration)
    return box(b"ftyp", b"isom") + box(b"mdat", bytes(50)) + box(b"moov", sound, picture)


def avi(period_us: int) -> bytes:
    return (
        b"RIFF"
        + bytes(4)
        + b"AVI LIST"
        + bytes(4)
        + b"hdrlavih"
        + bytes(4)
        + struct.pack("<IIIII", period_us, 0, 0, 0, 120)
    )


@pytest.mark.parametrize(
    ("content", "rate"),
    [
        (mp4(30000, 1001), 29.97),
        (mp4(600, 20), 30),
        (avi(40000), 25),
        (avi(0), None),
        (mp4(600, 0), None),
        (mp4(600, 20)[:120], None),
        (b"", None),
    ],
)
def test_the_rate_is_that_of_the_first_picture_track(tmp_path, content, rate):
    (tmp_path / "v.mp4").write_bytes(content)
    found = video_facts(tmp_path / "v.mp4")
    assert found is None if rate is None else found.fps == pytest.approx(rate, abs=1e-3)
    assert found is None or found.n_frames == 120


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_videos_have_a_rate_or_none(tmp_path_factory, data):
    content = bytearray(mp4(600, 20))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.mp4"
    path.write_bytes(content)
    found = video_facts(path)
    assert found is None or (found.fps > 0 and found.n_frames >= 0)


def test_the_video_of_a_pose_file_is_the_one_its_name_begins_with(tmp_path):
    for name in ("m1.mp4", "m1_day2.AVI", "other.mp4", "m1_day2.txt"):
        (tmp_path / name).touch()
    assert video_of(tmp_path / "m1_day2DLC_resnet.h5").name == "m1_day2.AVI"
    assert video_of(tmp_path / "m1.csv").name == "m1.mp4"
    for name in ("x.csv", "m10.csv", "m1b.csv"):
        assert video_of(tmp_path / name) is None


def test_boxes_that_claim_to_be_larger_than_the_one_around_them_are_read_once(tmp_path):
    """Each pair would double the work."""
    inner = struct.pack(">I4s", 2**31, b"mdia")
    (tmp_path / "v.mp4").write_bytes(
        b"".join(struct.pack(">I4s", 16, b"trak") + inner for _ in range(40))
    )
    assert video_facts(tmp_path / "v.mp4") is None
