"""What the text for the methods section of a paper tells of recordings and of their alignment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata
from vame_pipe.reporting.recordings import Recording
from vame_pipe.reporting.words import counted, joined


def recordings(
    rows: Sequence[Recording],
    aligned: AlignedMetadata,
    rates: Iterable[float],
    windows: WindowsMetadata,
) -> str:
    """Return what was recorded, and what of it was used.

    Parameters
    ----------
    rows : sequence of Recording
        One per animal of each session.
    aligned : AlignedMetadata
        Of the first session.
    rates : iterable of float
        Frames per second of the recordings, each rate once, ascending.
    windows : WindowsMetadata
    """
    names = dict.fromkeys(row.session for row in rows)
    minutes = sum({row.session: row.minutes for row in rows}.values())
    new = dict.fromkeys(row.session for row in rows if row.use == "encode")
    trained = {row.session for row in rows if row.n_windows}
    n_short = len(names.keys() - trained - new.keys() - windows.excluded.keys())
    keypoints = aligned.keypoints
    were, they = ("was", "It shows") if len(names) == 1 else ("were", "They show")
    sentences = [
        f"{counted(len(names), 'recording')} with {minutes:.1f} minutes in total {were} analysed. {they} "
        f"{counted(len(rows), 'animal')}, each animal of a recording counted once.",
        f"The positions of {counted(len(keypoints), 'keypoint')} ({', '.join(keypoints)}) were tracked at "
        f"{joined(f'{rate:g}' for rate in rates)} frames per second.",
        f"The models were trained on {counted(len(trained), 'recording')}.",
    ]
    if new:
        sentences.append(
            f"{counted(len(new), 'recording')} changed no model and "
            f"{'was' if len(new) == 1 else 'were'} only encoded."
        )
    if windows.excluded:
        sentences.append(
            f"{counted(len(windows.excluded), 'recording')} could not be used for training because of the "
            "tracking."
        )
    if n_short:
        sentences.append(
            f"{counted(n_short, 'recording')} had no run of valid frames as long as a window."
        )
    valid = sum(row.quality.valid_fraction * row.quality.n_rows for row in rows)
    total = sum(row.quality.n_rows for row in rows)
    sentences.append(f"After alignment, {valid / total:.1%} of the frames were valid.")
    return " ".join(sentences)


def alignment(meta: AlignedMetadata) -> str:
    """Return how recordings were cleaned and aligned."""
    use = meta.settings
    sentences = [
        f"{_confidence(use['min_confidence'])} Gaps of up to {use['max_gap_s']:g} s were interpolated; "
        "frames in longer gaps were left out.",
    ]
    if use["outlier_threshold"] is not None:
        sentences.append(
            "Points also counted as missing if their distance from the running median of their keypoint "
            f"was more than {use['outlier_threshold']:g} times the 90th percentile of that distance and "
            "more than a quarter of the body length."
        )
    if use["fps"] is not None:
        sentences.append(f"Recordings were resampled to {use['fps']:g} frames per second.")
    if use["smooth_s"] is not None:
        sentences.append(
            "Positions were smoothed with a Savitzky-Golay filter of second order and a window of "
            f"{use['smooth_s']:g} s."
        )
    ahead = (
        f"{use['forward']} lay on the positive x axis"
        if use["axis"] is None
        else f"its body axis pointed along the positive x axis, with {use['forward']} ahead"
    )
    sentences.append(
        f"In every frame the animal was moved and rotated so that {use['centre']} was at the origin and "
        f"{ahead}."
    )
    if use["scale"]:
        sentences.append(
            "Positions were divided by the median body length of the recording, the distance from "
            f"{use['centre']} to {use['forward']}."
        )
    n_positions = sum(name.rpartition("_")[0] in meta.keypoints for name in meta.features)
    others = [name for name in meta.features if name.rpartition("_")[0] not in meta.keypoints]
    sentences.append(f"{counted(n_positions, 'coordinate')} were used as features" + _also(others))
    return " ".join(sentences)


def _confidence(threshold: Any) -> str:
    """Return which points counted as missing, in words; thresholds per keypoint are named."""
    if not isinstance(threshold, dict):
        return f"Points with a confidence below {threshold:g} counted as missing."
    if set(threshold) == {"quantile"}:
        return (
            f"Of each keypoint, the {threshold['quantile']:.0%} of the points with the lowest confidence "
            "counted as missing."
        )
    shown = [
        f"{name} {value:g}" if isinstance(value, float | int) else f"{name} {value['quantile']:.0%}"
        for name, value in threshold.items()
    ]
    return (
        f"Points below a confidence that depended on the keypoint ({', '.join(shown)}; a percentage is "
        "that of the points with the lowest confidence) counted as missing."
    )


def _also(names: Sequence[str]) -> str:
    return f", together with {joined(names)}." if names else "."
