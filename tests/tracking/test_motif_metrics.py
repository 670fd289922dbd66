"""Which numbers and files of motifs MLflow gets."""

from motif_files import QUALITY, write_quality

from vame_pipe.core.layout import Layout
from vame_pipe.tracking.motifs import motif_files, motif_metrics, motif_tags


def test_the_metrics_are_those_of_the_chosen_number_for_latents_and_pca(tmp_path):
    layout = Layout(tmp_path)
    unknown = {"latents": {"log_likelihood": None}}
    write_quality(layout, "vame", {4: {}, 6: unknown}, chosen=6)
    metrics = motif_metrics(layout.motifs("vame").quality)
    assert metrics["motifs/n"] == metrics["motifs/pca_n"] == 6.0
    for name in ("adjusted_rand", "median_bout_s", "boundary_z", "variation_of_information"):
        assert metrics[f"motifs/{name}"] == QUALITY["latents"][name]
        assert metrics[f"motifs/pca_{name}"] == QUALITY["pca"][name]
    assert "motifs/log_likelihood" not in metrics
    assert metrics["motifs/pca_log_likelihood"] == -20.25


def test_the_tags_tell_the_covariance_of_both(tmp_path):
    layout = Layout(tmp_path)
    write_quality(layout, "vame", {4: {}})
    assert motif_tags(layout.motifs("vame").quality) == {
        "motifs_covariance": "shared",
        "motifs_pca_covariance": "state",
    }


def test_only_files_that_exist_are_sent(tmp_path):
    layout = Layout(tmp_path)
    folder = layout.motifs("vame")
    assert motif_files(layout, "vame", ["a"]) == []
    assert motif_metrics(folder.quality) == {} == motif_tags(folder.quality)
    folder.root.mkdir(parents=True)
    for path in (folder.segmentation, folder.session("a"), folder.session("b")):
        path.touch()
    assert motif_files(layout, "vame", ["a"]) == [folder.segmentation, folder.session("a")]
