import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vame_pipe.cli.main import main
from vame_pipe.core import credentials

ANY = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "))
"""Text with spaces and every character that has a meaning in a URI."""
SIGNS = st.lists(st.sampled_from(["/", "@", ":", " ", "#", "?", "&", "=", "%2F", "%", "'", "\\"]))
PASSWORDS = st.tuples(ANY, SIGNS, st.text("QXZJ", min_size=6), SIGNS, ANY).map(
    lambda parts: parts[0] + "".join(parts[1]) + parts[2] + "".join(parts[3]) + parts[4]
)
"""With at least six letters that occur in no message."""


def core(password):
    return re.search("[QXZJ]{6,}", password)[0]


@settings(deadline=None)  # a busy machine is slow
@given(PASSWORDS, st.sampled_from(["http", "https", "postgresql", "mysql+pymysql"]))
def test_no_password_of_a_known_uri_is_in_a_message(password, scheme):
    uri = f"{scheme}://me:{password}@lab.example:5000/x"
    for written in (password, quote(password, safe=""), quote_plus(password), repr(password)):
        message = credentials.redact(
            f"Invalid URL '{uri}/api': no host in me:{written}; port {written!s} of {uri!r}", uri
        )
        assert core(password) not in message
        assert message.startswith("Invalid URL '") and "no host in" in message


@settings(deadline=None)
@given(PASSWORDS, st.sampled_from(["token", "password", "PWD", "api_key", "x-secret", "auth"]))
def test_no_secret_of_a_query_string_is_in_a_message(password, key):
    assume("&" not in password)
    uri = f"https://lab.example/?a=1&{key}={password}&b=2"
    assert core(password) not in credentials.redact(f"cannot reach {uri}: {password}", uri)
    unknown = f"https://lab.example/?a=1&{key}={quote_plus(password)}&b=2"
    assert core(password) not in credentials.redact(f"at {unknown} now")


@settings(deadline=None)
@given(PASSWORDS)
def test_no_password_of_the_environment_is_in_a_message(password):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_TOKEN", password)
        assert core(password) not in credentials.redact(f"Bearer {password}, {password!r}")
        patch.delenv("MLFLOW_TRACKING_TOKEN")
        patch.setenv("MLFLOW_TRACKING_URI", f"http://me:{password}@lab.example")
        assert core(password) not in credentials.redact(f"user me:{password}")


@settings(deadline=None)
@given(PASSWORDS)
def test_a_password_in_the_configuration_is_refused_and_not_repeated(password):
    (line,) = credentials.problems(f"https://me:{password}@lab.example/x", "mlflow.tracking_uri")
    assert "contains credentials" in line and core(password) not in line


@pytest.mark.parametrize(
    "uri",
    [
        "http://me@lab.example",
        "http://lab.example/x?token=abc",
        "postgresql://h/db?user=me&password=abc",
        "http://lab.example/?a=1&api_key=abc",
    ],
)
def test_addresses_with_credentials_are_refused(uri):
    assert len(credentials.problems(uri, "it")) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://127.0.0.1:5000",
        "https://lab.example/p%40th?page=2&author=me",
        "sqlite:////home/me@lab/mlflow.db",
        "sqlite:///file:///home/me%3F/mlflow.db?uri=true",
        "file:///home/me@lab/runs",
        "home/me@lab",
    ],
)
def test_addresses_without_credentials_are_neither_refused_nor_masked(uri):
    assert credentials.problems(uri, "it") == []
    assert credentials.redact(f"at {uri} it fails", uri) == f"at {uri} it fails"


def test_the_command_refuses_credentials_too(tmp_path, capsys):
    out = tmp_path / "experiment.json"
    uri = "--tracking-uri=http://me:pa55/phr@se@lab.example"
    assert main(["init-mlflow", "--experiment=mice", uri, "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "MLFLOW_TRACKING_PASSWORD" in line and "pa55" not in line and "phr" not in line
    assert not out.exists()


def test_the_rest_of_a_message_is_unchanged():
    uri = "http://me:p/w@h@lab.example:5000"
    message = "HTTPConnectionPool(host='lab.example', port=5000): url: /api/2.0/runs/get?run_id=abc"
    assert credentials.redact(message, uri) == message
    assert credentials.redact(f"at {uri}/x", uri) == "at http://***@lab.example:5000/x"
    assert credentials.redact("at ftp://a:b@c/d") == "at ftp://***@c/d"
