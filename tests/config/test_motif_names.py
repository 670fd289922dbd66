import pytest
from hypothesis import given
from hypothesis import strategies as st
from minimal_config import load, problems

from vame_pipe.config.motif_names import MotifName, conflicts, read_names
from vame_pipe.core.errors import InputError


def write(folder, text, name="names.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_table_becomes_rows_and_empty_cells_mean_nothing(tmp_path):
    path = write(tmp_path, '\ufeffmotif,name,merge_into\n0,"walk, <b>fast</b>",\n3,,0\n,,\n')
    config = load(motif_names=path)
    assert [row.model_dump(exclude_none=True) for row in config.motif_names] == [
        {"motif": 0, "name": "walk, <b>fast</b>"},
        {"motif": 3, "merge_into": 0},
    ]
    # the stored configuration holds the rows, so that it stands alone
    assert load(**{"motif_names": config.resolved()["motif_names"]}) == config


def test_every_problem_of_a_table_is_one_line(tmp_path):
    text = "motif\tname\tmerge_into\n-1\ta\t\n1\t\tx\n2\tb\t\tc\n3\tno\x07\t\n"
    rows, found = read_names(write(tmp_path, text, "names.tsv"))
    assert rows == [] and [line.partition(": ")[0][-6:] for line in found] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    assert "too many cells" in found[2] and "control character" in found[3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number,name\n1,a\n", "column motif is missing. Allowed: motif, name, merge_into"),
        ("motif,nmae\n1,a\n", "column 'nmae' is unknown. Allowed: "),
        ("motif,name,name\n1,a,b\n", "column name occurs twice."),
    ],
)
def test_wrong_columns_are_named(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        read_names(write(tmp_path, text))
    assert message in str(error.value)


def test_a_missing_table_is_named():
    (line,) = problems(motif_names="no.csv")
    assert line.startswith("motif names no.csv: cannot be read (")


def test_contradictions_are_reported_together():
    rows = [
        {"motif": 0, "name": "walk"},
        {"motif": 1, "name": "walk"},
        {"motif": 2, "merge_into": 3},
        {"motif": 3, "merge_into": 2},
        {"motif": 4, "merge_into": 4},
        {"motif": 5},
        {"motif": 5, "name": "rear"},
    ]
    assert [line.removeprefix("config: motif_names: ") for line in problems(motif_names=rows)] == [
        "motif 5 occurs twice. Remove one of its lines.",
        "motif 2 is merged into itself (2 -> 3 -> 2). Clear merge_into of one of them.",
        "motif 4 is merged into itself (4 -> 4). Clear merge_into of one of them.",
        "motifs 0 and 1 are both named 'walk'. Use two names, or set merge_into of motif 1 to 0, so that "
        "both count as one.",
    ]


def test_names_of_several_models_need_the_model():
    models = {"a": {}, "b": {}}
    (line,) = problems(models=models, motif_names=[{"motif": 0, "name": "x"}])
    assert "there are 2 models" in line and "Add a column `model`." in line
    (line,) = problems(models=models, motif_names=[{"motif": 0, "model": "c"}])
    assert line == "config: motif_names: there is no model c. Models: a, b."
    rows = [{"motif": 0, "name": "x", "model": "a"}, {"motif": 0, "name": "x", "model": "b"}]
    config = load(models=models, motif_names=rows)
    assert [row.model for row in config.names_of("b")] == ["b"]


@pytest.mark.parametrize(("n", "most"), [(4, 3), ([4, 9], 8), ("auto", 29)])
def test_a_motif_that_no_segmentation_can_have_is_refused_before_a_run(n, most):
    rows = [{"motif": most, "name": "walk"}, {"motif": 0, "merge_into": most + 1}]
    (line,) = problems(motifs={"n": n}, motif_names=rows)
    assert line == (
        f"config: motif_names: merge_into {most + 1} does not exist: the motifs are 0 to {most}. Correct "
        "the number."
    )


def test_a_skeleton_joins_two_keypoints_that_exist():
    found = problems(keypoints=["tail", "nose"], skeleton=[["nose", "nose"], ["nose", "ear"]])
    assert found == [
        "config: skeleton: [nose, nose] joins a keypoint to itself. Remove it.",
        "config: skeleton: [nose, ear]: 'ear' is not in keypoints, which has: tail, nose.",
    ]


@given(st.dictionaries(st.integers(0, 6), st.integers(0, 6), max_size=7))
def test_a_circle_is_found_exactly_if_following_the_arrows_never_ends(into):
    rows = [MotifName(motif=k, merge_into=target) for k, target in into.items()]

    def ends(number):
        for _ in range(10):
            if number not in into:
                return True
            number = into[number]
        return False

    assert (conflicts(rows) == []) == all(map(ends, range(7)))
