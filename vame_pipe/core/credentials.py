"""Credentials in the addresses of servers and databases: find, refuse and mask them."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, unquote_plus

MASK = "***"
SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Environment variables that hold secrets."""
MIN_SECRET_LENGTH = 4
"""Shorter parts of a secret are not masked everywhere, because they would match parts of words."""
SECRET_WORDS = "token|passw|pwd|secret|credential|signature|api[-_]?key|access[-_]?key"
"""A query parameter is secret if its name contains one of these."""
SECRET_KEY = rf"[?&](?:auth|[^=&?\s]*(?:{SECRET_WORDS})[^=&?\s]*)="
SECRET_PARAMETER = re.compile(rf"({SECRET_KEY})([^&\s'\"]*)", re.IGNORECASE)
USERINFO = re.compile(r"(?<=://)(?!/)[^\s'\"<>]*@")
"""User and password. Three slashes begin the path of a file, which may contain an @."""


def is_file(uri: str) -> bool:
    """Return whether a URI is a path on this machine, which contains no credentials."""
    return "://" not in uri or uri.lower().startswith(("sqlite:", "file:"))


def problems(uri: str, where: str) -> list[str]:
    """Return a message if a URI contains credentials; the message does not repeat them.

    An @ is refused at any position, because a password may contain a slash.

    Parameters
    ----------
    uri : str
    where : str
        The option or key of the configuration that has the URI.

    Returns
    -------
    list of str
        One line, or none.
    """
    if is_file(uri) or not (userinfo(uri) or SECRET_PARAMETER.search(uri)):
        return []
    return [
        f"{where} contains credentials, which would end up in logs. Remove them and set the environment "
        "variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN. "
        "(Write an @ that belongs to a path as %40.)"
    ]


def userinfo(uri: str) -> str:
    """Return the part of a server's URI before its last @; empty if it has no @."""
    return uri.partition("://")[2].rpartition("@")[0]


def redact(text: str, *uris: str) -> str:
    """Return a message with passwords and tokens masked.

    Secrets are recognised by their position in a URI. Secrets of the given URIs and of the environment
    are masked everywhere, in plain form and in the encoded forms that libraries write.

    Parameters
    ----------
    text : str
    *uris : str
        URIs in use. The one in MLFLOW_TRACKING_URI is always added.

    Examples
    --------
    >>> redact("cannot reach http://me:hunter2@lab.example")
    'cannot reach http://***@lab.example'
    """
    secrets = {os.environ[name] for name in SECRET_VARIABLES if os.environ.get(name)}
    for uri in (*uris, os.environ.get("MLFLOW_TRACKING_URI", "")):
        secrets |= _secrets(uri)
    forms = {form for secret in secrets for form in _encoded_forms(secret)}
    for form in sorted(forms, key=len, reverse=True):  # a longer form may contain a shorter one
        if len(form) >= MIN_SECRET_LENGTH:
            text = text.replace(form, MASK)
    return SECRET_PARAMETER.sub(rf"\1{MASK}", USERINFO.sub(f"{MASK}@", text))


def _secrets(uri: str) -> set[str]:
    """Return the secrets of a URI: its passwords, and parts of them that a library may cut out."""
    if is_file(uri):
        return set()
    user = userinfo(uri)
    password = user.partition(":")[2]
    complete = [password, *re.findall(rf"{SECRET_KEY}([^&]*)", uri, re.IGNORECASE)]
    parts = [part for secret in complete for part in re.split(r"[/@:?#\s]", secret)]
    return {user if password else "", *complete, *parts}


def _encoded_forms(secret: str) -> set[str]:
    """Return the forms in which a secret may appear in a message."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    quoted = {quote(form, safe=safe) for form in plain for safe in ("", "/", "!$&'()*+,;=:@/")}
    return plain | quoted | {repr(form)[1:-1] for form in plain}
