"""Whether a result is up to date, from what it was made from."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.items import NOT_YET, Item, find, made_again, made_from

NAMES = st.sampled_from("abcd")


def found(layout, changed=(), causes=(), fingerprint="f"):
    outputs = [layout.comparison, layout.similarity]
    return find(
        *(layout, "compare", "models", outputs, causes), lambda path: (list(changed), fingerprint)
    )


def test_a_result_is_missing_done_or_outdated(tmp_path):
    layout = Layout(tmp_path)
    assert found(layout) == Item("compare", "models", "missing", (NOT_YET,))
    assert found(layout, causes=["m1 changed"]).causes == ("m1 changed",)
    layout.comparison.touch()
    lost = Item("compare", "models", "outdated", ("similarity.parquet is missing",))
    assert found(layout) == lost
    layout.similarity.touch()
    assert found(layout) == Item("compare", "models", "done", (), "f")
    both = found(layout, ["seed changed", "m1 changed"], ["m1 changed"])
    assert both == Item("compare", "models", "outdated", ("m1 changed", "seed changed"))


def test_a_damaged_result_says_why(tmp_path):
    layout = Layout(tmp_path)
    layout.report.touch()

    def damaged(path):
        raise InputError(f"{path.name} is damaged")

    item = find(layout, "report", "report.html", [layout.report], ["m1 changed"], damaged)
    assert (item.state, item.causes) == ("outdated", ("m1 changed", "report.html is damaged"))


def test_what_is_not_up_to_date_says_itself_why():
    """So a result that is made from it need not."""
    assert made_again(Item("train", "vame", "outdated", ("seed changed",)), "old") == []
    assert made_again(Item("train", "vame", "done", (), "old"), "old") == []
    assert made_again(Item("train", "vame", "done", (), "new"), "old") == [
        "model vame was trained again"
    ]


@settings(max_examples=30)
@given(st.dictionaries(NAMES, st.sampled_from("12")), st.dictionaries(NAMES, st.sampled_from("12")))
def test_nothing_has_changed_exactly_if_names_and_fingerprints_are_the_same(before, now):
    items = {name: Item("align", name, "done", (), found) for name, found in now.items()}
    lines = made_from("session", before, items)
    other_order = before.keys() == now.keys() and list(before) != list(now)
    differ = sum(before.get(name) != now.get(name) for name in before | now)
    assert len(lines) == differ + other_order
