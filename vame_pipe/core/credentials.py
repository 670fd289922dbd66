"""Credentials in the addresses of servers and databases: found, refused and masked."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, unquote_plus

MASK = "***"
VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Environment variables that hold secrets."""
SHORTEST = 4
"""Characters of a secret that is masked wherever it stands; less would mask parts of words."""
TELLING = "token|passw|pwd|secret|credential|signature|api[-_]?key|access[-_]?key"
"""Words in the name of a query parameter which show that its value is secret."""
KEY = rf"[?&](?:auth|[^=&?\s]*(?:{TELLING})[^=&?\s]*)="
QUERY = re.compile(rf"({KEY})([^&\s'\"]*)", re.IGNORECASE)
USER = re.compile(r"(?<=://)(?!/)[^\s'\"<>]*@")
"""User and password. Three slashes are a file's, which may hold an @."""


def is_file(uri: str) -> bool:
    """Return whether a URI is a path on this machine, which holds no credentials."""
    return "://" not in uri or uri.lower().startswith(("sqlite:", "file:"))


def problems(uri: str, where: str) -> list[str]:
    """Return what is wrong with a URI that holds credentials, one line without them.

    An @ is refused wherever it stands: a password may hold a slash.

    Parameters
    ----------
    uri : str
    where : str
        What the user calls it.
    """
    if is_file(uri) or not (userinfo(uri) or QUERY.search(uri)):
        return []
    return [
        f"{where} holds credentials, which would end up in logs. Take them out and set the environment "
        "variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN. "
        "(An @ that belongs to a path is written %40.)"
    ]


def userinfo(uri: str) -> str:
    """Return all that stands before the last @ of a server's URI; empty if there is none."""
    return uri.partition("://")[2].rpartition("@")[0]


def redact(text: str, *uris: str) -> str:
    """Return a message without passwords and tokens.

    They are masked by their place in a URI, and those of known URIs and of the environment wherever
    they stand, as they are and in the forms that libraries write them in.

    Parameters
    ----------
    text : str
    *uris : str
        Addresses in use. The one in MLFLOW_TRACKING_URI is always added.
    """
    known: set[str] = {os.environ[name] for name in VARIABLES if os.environ.get(name)}
    for uri in (*uris, os.environ.get("MLFLOW_TRACKING_URI", "")):
        known |= _secrets(uri)
    written = {form for secret in known for form in _forms(secret) if len(form) >= SHORTEST}
    for form in sorted(written, key=len, reverse=True):  # a part of another is masked after it
        text = text.replace(form, MASK)
    return QUERY.sub(rf"\1{MASK}", USER.sub(f"{MASK}@", text))


def _secrets(uri: str) -> set[str]:
    """Return what to mask of a URI: its passwords, and parts of them that a library may cut out."""
    if is_file(uri):
        return set()
    user = userinfo(uri)
    password = user.partition(":")[2]
    whole = [password, *re.findall(rf"{KEY}([^&]*)", uri, re.IGNORECASE)]
    parts = [part for secret in whole for part in re.split(r"[/@:?#\s]", secret)]
    return {user if password else "", *whole, *parts}


def _forms(secret: str) -> set[str]:
    """Return how a secret may be written in a message."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    quoted = {quote(form, safe=safe) for form in plain for safe in ("", "/", "!$&'()*+,;=:@/")}
    return plain | quoted | {repr(form)[1:-1] for form in plain}
