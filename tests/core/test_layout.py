from pathlib import Path

from vame_pipe.core.layout import Layout, WindowsFolder, session_file


def test_every_path_is_below_the_results_folder():
    layout = Layout(Path("results"))
    found = [
        *(layout.aligned("m1"), layout.quality("m1"), layout.latents("vame", "m1")),
        *(layout.windows_folder.frames, layout.windows_folder.index),
        *(layout.windows_folder.session_faults, layout.model("vame").weights),
        *(layout.mlflow_database, layout.log("align", "m1"), layout.benchmark("windows")),
    ]
    assert [path.relative_to("results").as_posix() for path in found] == [
        *("aligned/m1.parquet", "aligned/m1.qc.json", "latents/vame/m1.parquet"),
        *("windows/frames.parquet", "windows/windows.parquet"),
        *("windows/session_faults.json", "models/vame/model.pt"),
        *("mlflow/mlflow.db", "logs/align/m1.log", "benchmarks/windows.tsv"),
    ]


def test_a_folder_that_is_given_by_itself_has_the_same_files():
    layout = Layout(Path("results"))
    assert WindowsFolder(Path("results/windows")) == layout.windows_folder
    assert session_file(layout.aligned_folder, "m1") == layout.aligned("m1")
    assert session_file(layout.latents_folder("vame"), "m1") == layout.latents("vame", "m1")
