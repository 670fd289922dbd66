"""Draw docs/overview.png from the results of the demo: `python docs/make_overview.py` after `snakemake`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap

ROOT = Path(__file__).parents[1]
SESSION, FIRST, SECONDS, FPS = "sim-3", 790, 14, 30
FRAMES = range(FIRST, FIRST + SECONDS * FPS)
# Okabe and Ito's colours, which colour-blind people can tell apart
MOTIFS = {"still": "#444444", "walk": "#0072B2", "turn left": "#56B4E9"}
MOTIFS |= {"turn right": "#009E73", "rear": "#D55E00", "groom": "#E69F00"}
BODY = ["nose", "left_ear", "spine", "left_hip", "tailbase", "right_hip", "spine", "right_ear"]
LINES = [[*BODY, "nose"], ["tailbase", "tail_tip"]]


def draw_poses(ax: plt.Axes, aligned: pd.DataFrame, motif: pd.Series) -> None:
    for i, frame in enumerate(FRAMES[FPS // 2 :: FPS]):
        for line in LINES:  # coordinates that are zero by construction have no column
            x, y = ([aligned.loc[frame].get(f"{k}_{c}", 0.0) for k in line] for c in "xy")
            ax.plot(np.add(y, i + 0.5), x, color=MOTIFS[motif[frame]], lw=1.8)
    ax.set(xlim=(0, SECONDS), aspect="equal", xticks=[], yticks=[])
    ax.set_title("Aligned poses, nose up, one per second", loc="left")


def draw_movement(ax: plt.Axes, aligned: pd.DataFrame) -> None:
    seconds = np.arange(len(FRAMES)) / FPS
    ax.plot(seconds, aligned.loc[FRAMES, "speed_forward"], "black", label="speed, body lengths/s")
    ax.plot(seconds, aligned.loc[FRAMES, "turn_rate"], "#CC79A7", label="turning, rad/s")
    ax.set(xlim=(0, SECONDS), xticks=[])
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.93), ncols=2, frameon=False, borderpad=0)
    ax.set_title("Movement of the animal", loc="left")


def draw_image(ax: plt.Axes, values: np.ndarray, title: str, **colours: object) -> None:
    ax.imshow(values, aspect="auto", extent=(0, SECONDS, len(values), 0), **colours)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, loc="left")


def draw_space(ax: plt.Axes, z: pd.DataFrame, motif: pd.Series) -> None:
    axes = np.linalg.svd(z - z.mean(), full_matrices=False)[2][:2]
    plane = pd.DataFrame(z @ axes.T)[::2]
    for name, colour in MOTIFS.items():
        chosen = plane[motif[plane.index] == name]
        ax.scatter(chosen[0], chosen[1], s=6, color=colour, lw=0, alpha=0.6, label=name)
    ax.set(xticks=[], yticks=[], xlabel="principal component 1", ylabel="principal component 2")
    ax.set_title("Latent space, one point per frame", loc="left")
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.06)}
    ax.legend(title="true motif", ncols=3, frameon=False, markerscale=4, **place)


def draw(out: Path) -> None:
    motif = pd.read_csv(ROOT / f"demo/{SESSION}.motifs.csv", index_col="frame")["motif"]
    motif = motif.str.replace("_", " ")
    files = [f"results/aligned/{SESSION}.parquet", f"results/latents/vame/{SESSION}.parquet"]
    aligned, latents = (pd.read_parquet(ROOT / file).set_index("frame") for file in files)
    z = latents.filter(like="z_")
    figure = plt.figure(figsize=(9.6, 4.6), dpi=130, layout="constrained")
    grid = figure.add_gridspec(4, 2, width_ratios=[1.6, 1], height_ratios=[1.3, 1, 1, 0.3])
    rows = [figure.add_subplot(grid[row, 0]) for row in range(4)]
    draw_poses(rows[0], aligned, motif)
    draw_movement(rows[1], aligned)
    scaled = ((z - z.mean()) / z.std()).loc[FRAMES].T
    draw_image(rows[2], scaled, f"{len(scaled)} latent values per frame", cmap="cividis")
    codes = motif[FRAMES].map(list(MOTIFS).index).to_numpy()[None]
    colours = ListedColormap(list(MOTIFS.values()))
    draw_image(rows[3], codes, "True motif, unknown to the model", cmap=colours)
    rows[3].set(xticks=range(0, SECONDS + 1, 2), xlabel="time, s")
    draw_space(figure.add_subplot(grid[:, 1]), z, motif)
    figure.savefig(out)


if __name__ == "__main__":
    plt.rcParams |= {"font.size": 9, "axes.titlesize": 9.5, "axes.spines.top": False}
    plt.rcParams |= {"axes.spines.right": False}
    draw(ROOT / "docs/overview.png")
