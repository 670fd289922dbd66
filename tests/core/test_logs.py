import logging

import pytest

from vame_pipe.core.errors import InputError
from vame_pipe.core.logs import log_file


def test_a_log_file_keeps_earlier_lines(tmp_path):
    path = tmp_path / "logs/a.log"
    for message in ("first", "second"):
        handler = log_file(path)
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, message, None, None))
        handler.close()
    assert [line.rsplit(" ", 2)[1:] for line in path.read_text().splitlines()] == [
        ["INFO:", "first"],
        ["INFO:", "second"],
    ]


def test_a_log_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/a\.log: the log file cannot be written"):
        log_file(tmp_path / "file/a.log")
