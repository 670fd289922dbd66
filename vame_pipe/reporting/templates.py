"""The templates of the pages, which escape all that is put into them."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

PAGES = Environment(
    loader=PackageLoader("vame_pipe.reporting", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def template(name: str) -> Template:
    """Return a template of this folder, such as page.html.jinja."""
    return PAGES.get_template(name)
