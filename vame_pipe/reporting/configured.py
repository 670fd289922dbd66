"""The sessions of the configuration that a results folder was made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from vame_pipe.core.layout import Layout

Configured = Mapping[str, Mapping[str, Any]]
"""The keys of each session, by its name."""


def read_sessions(layout: Layout) -> Configured:
    """Return the sessions that are not excluded, as results/config.yaml gives them.

    Parameters
    ----------
    layout : Layout
        A results folder; without a configuration no session is known.
    """
    if not layout.config.exists():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    settings = yaml.load(layout.config.read_bytes(), Loader=loader) or {}
    sessions: Configured = settings.get("sessions") or {}
    return {name: keys for name, keys in sessions.items() if not keys.get("exclude")}


def read_groups(layout: Layout) -> dict[str, str]:
    """Return the experimental group of each session that has one."""
    return {
        name: keys["group"] for name, keys in read_sessions(layout).items() if keys.get("group")
    }
