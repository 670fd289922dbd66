"""Small videos whose pictures show their number, and sessions with such videos."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from described_files import write_described

from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Session
from vame_pipe.core import files
from vame_pipe.core.description import Motif
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, MotifsMetadata, read_record, to_metadata
from vame_pipe.core.schemas import MOTIF_FIELDS
from vame_pipe.motifs.bouts import find_bouts

WIDTH, HEIGHT, BLOCK = 64, 48, 8
BOUT = 10
"""Rows of each bout; motifs 0 and 1 take turns."""


def marked(number):
    """A grey picture whose top row of blocks shows a number below 256, white for 1."""
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for bit in range(8):
        picture[:BLOCK, BLOCK * bit : BLOCK * (bit + 1)] = 255 * (number >> bit & 1)
    return picture


def mark_of(picture, scale=1.0, left=0.0, top=0.0):
    """The number that a picture shows, which is a part of another one."""
    where = [(top + BLOCK / 2 * scale, left + (bit + 0.5) * BLOCK * scale) for bit in range(8)]
    return sum(int(picture[int(y), int(x)].mean() > 128) << bit for bit, (y, x) in enumerate(where))


def write_video(path, n_frames, fps=30, codec="libx264", first=0):
    """Write pictures with the numbers first, first + 1, ..., with a key frame every 12 pictures."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = 12
        for number in range(first, first + n_frames):
            frame = av.VideoFrame.from_ndarray(marked(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def position(frames, animal=0):
    """Tail and nose `(n, 2, 2)` of an animal that runs from side to side below the marks."""
    x = 6 + 44 * np.abs((frames + 3 * animal) % 24 / 12 - 1)
    tail = np.stack([x, np.full(len(frames), 20 + 14 * animal)], axis=1)
    return np.stack([tail, tail + np.array([8, 6])], axis=1).astype(float)


def write_poses(path, n_frames, first=0, names=("id_0",)):
    """Write a file of DeepLabCut; its first frame has a number."""
    frames = np.arange(first, first + n_frames)
    columns = {}
    for animal, name in enumerate(names):
        points = position(frames, animal)
        for k, keypoint in enumerate(("tail", "nose")):
            values = (*points[:, k].T, np.ones(n_frames))
            for word, value in zip(("x", "y", "likelihood"), values, strict=True):
                columns["s", name, keypoint, word] = value
    table = pd.DataFrame(columns, index=frames)
    table.columns.names = ["scorer", "individuals", "bodyparts", "coords"]
    table.to_csv(path)
    return str(path)


def make_project(folder, sessions, fps=None):
    """Return the layout of aligned sessions, `{name: Session}`, whose motifs take turns."""
    layout = Layout(folder / "results")
    align = Align(centre="tail", forward="nose", outlier_threshold=None, fps=fps)
    bouts = []
    for name, session in sessions.items():
        align_session(name, session, align, None, layout.aligned(name), layout.quality(name))
        bouts.append(_write_motifs(layout, name))
    table = pa.concat_tables(bouts).unify_dictionaries()
    table = table.append_column("distance", pa.array(np.linspace(1, 2, len(table))))
    described = layout.motifs("m").described
    motifs = [Motif(0, "rest", [0]), Motif(1, None, [1])]
    write_described(layout, "m", 2, table.to_pandas(), motifs)
    table = table.append_column("name", pa.array(["rest"] * len(table)))
    files.write_tables(described.bouts, [table], table.schema, files.metadata())
    return layout


def _write_motifs(layout, name):
    """Write the motifs of a session: 0 and 1 by turns, none in the first bout; return the bouts."""
    table = pq.read_table(layout.aligned(name))
    row, valid = table["row"].to_numpy(), table["run"].to_numpy() >= 0
    known = valid & (row >= BOUT)
    columns = [
        *table.select([field.name for field in MOTIF_FIELDS[:5]]).columns,
        pa.array(row // BOUT % 2, pa.int16(), mask=~known),
        pa.array(np.full(len(row), "edge"), mask=known).dictionary_encode(),
        pa.array(np.ones(len(row), np.float32), mask=~known),
        pa.array(row // BOUT - 1, pa.int32(), mask=~known),
    ]
    schema = pa.schema(MOTIF_FIELDS)
    labels = pa.table(columns, names=schema.names).cast(schema).unify_dictionaries()
    meta = to_metadata(MotifsMetadata("segmentation of m", "", 1))
    files.write_tables(layout.motifs("m").session(name), [labels], schema, meta)
    return find_bouts(
        labels.combine_chunks(), read_record(AlignedMetadata, layout.aligned(name)).fps
    )


def session(poses, video, fps=30, **more):
    return Session(poses=poses, video=video, fps=fps, **more)
