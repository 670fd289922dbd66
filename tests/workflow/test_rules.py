"""The text of the rules."""

import re

import pytest
from conftest import ROOT

RULES = {
    name: text
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, text in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.M | re.S)
}
SESSIONS = (
    r"settings\.(analysed|training_sessions|new_sessions|labelled|filmed|deciding|excluded|scales)\b"
    r"|settings\.sessions(?!\[wildcards\.session\])"
)
"""What has a value for each session, as do functions without arguments that use it."""
HELPERS = [
    rf"|\b{name}\("
    for name, body in re.findall(
        r"^def (\w+)\(\):\n(.*?)(?=^\S)",
        (ROOT / "workflow/rules/common.smk").read_text(),
        re.M | re.S,
    )
    if re.search(SESSIONS, body)
]
SESSIONS += "".join(HELPERS)


@pytest.mark.parametrize("rule", RULES)
def test_a_command_does_not_grow_with_the_number_of_sessions(rule):
    """Linux limits it to 128 KiB; commands read the sessions from results/config.yaml."""
    before, shell = RULES[rule].split("\n    shell:\n")
    grow = set()
    for section, content in re.findall(r"^    (\w+):\n(.*?)(?=^    \w|\Z)", before, re.M | re.S):
        content = re.sub(r"^ *#.*\n", "", content, flags=re.M)
        values = re.findall(r"^        (\w+)=(.*?)(?=^        \w+=|\Z)", content, re.M | re.S)
        grow |= {f"{section}.{name}" for name, value in values if re.search(SESSIONS, value)}
        grow |= {section} if re.search(SESSIONS, content) else set()
    if rule in ("keypoints", "windows", "groups", "report"):
        assert grow & {"params.sessions", "input"}  # the test finds them
    assert not grow & set(re.findall(r"\{(\w+(?:\.\w+)?)", shell))
