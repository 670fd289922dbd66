from vame_pipe.core.errors import InputError, listing, shortened


def test_unprintable_characters_are_escaped():
    error = InputError("f.csv: holds 'a\0b\nc\x1b[2J'", "ä 鼠 is fine")
    assert error.problems == ["f.csv: holds 'a\\x00b\\nc\\x1b[2J'", "ä 鼠 is fine"]
    assert str(error) == "\n".join(error.problems)


def test_long_listings_are_shortened():
    assert listing("abc") == "a, b, c"
    assert listing(map(str, range(300)), "'", limit=2) == "'0', '1', ... (300 in all)"
    assert shortened("x" * 50, 10) == "xxxxxxx..."
