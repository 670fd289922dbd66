"""Export to ELAN: an annotation file with one tier per animal."""

from __future__ import annotations

from mimetypes import MimeTypes
from pathlib import Path
from xml.etree import ElementTree

from vame_pipe.core import files
from vame_pipe.export.results import UNKNOWN_START, SessionResults, behaviour

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
SCHEMA_ATTRIBUTE = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
TIER_TYPE = "motif"


def write(results: SessionResults, out: Path) -> None:
    """Write the bouts of a session as annotations.

    Parameters
    ----------
    results : SessionResults
    out : Path
        File with the ending eaf.
    """
    ElementTree.register_namespace("xsi", "http://www.w3.org/2001/XMLSchema-instance")
    tree = ElementTree.ElementTree(document(results))
    ElementTree.indent(tree, "    ")
    with files.atomic(out) as path:
        tree.write(path, encoding="UTF-8", xml_declaration=True)


def document(results: SessionResults) -> ElementTree.Element:
    """Return the annotation document of a session, as ELAN's schema 3.0 orders its elements."""
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "vame_pipe",
            "DATE": (results.start or UNKNOWN_START).isoformat(),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            SCHEMA_ATTRIBUTE: SCHEMA,
        },
    )
    header = _add(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    for video in results.source.videos:
        kind = MimeTypes().guess_type(video)[0] or "unknown"
        _add(header, "MEDIA_DESCRIPTOR", MEDIA_URL=Path(video).resolve().as_uri(), MIME_TYPE=kind)
    for name, value in (("model", results.model), ("identifier", results.identifier)):
        _add(header, "PROPERTY", NAME=f"vame_pipe.{name}").text = value
    bouts = [bout for animal in results.animals for bout in animal.bouts]
    _add(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(len(bouts))
    times = sorted({ms for bout in bouts for ms in (_ms(bout.start_s), _ms(bout.stop_s))})
    slots = {time: f"ts{number}" for number, time in enumerate(times, 1)}
    order = _add(root, "TIME_ORDER")
    for time, slot in slots.items():
        _add(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(time))
    number = 0
    for animal in results.animals:
        name = _printable(animal.name)
        tier = _add(
            root, "TIER", LINGUISTIC_TYPE_REF=TIER_TYPE, TIER_ID=f"motif {name}", PARTICIPANT=name
        )
        for bout in animal.bouts:
            number += 1
            annotation = _add(
                _add(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{number}",
                TIME_SLOT_REF1=slots[_ms(bout.start_s)],
                TIME_SLOT_REF2=slots[_ms(bout.stop_s)],
            )
            _add(annotation, "ANNOTATION_VALUE").text = behaviour(bout.motif)
    _add(
        root,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID=TIER_TYPE,
        TIME_ALIGNABLE="true",
    )
    return root


def _add(parent: ElementTree.Element, name: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, name, attributes)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _printable(text: str) -> str:
    """Return a text without characters that XML cannot hold."""
    return "".join(character if character.isprintable() else "_" for character in text)
