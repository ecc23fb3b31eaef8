"""The provenance of a pipeline's files, one document for each run."""

from __future__ import annotations

from prov.identifier import Namespace
from prov.model import ProvDocument

FILES = Namespace("data", "https://example.org/data/")


def document(run_number: int, files: int) -> ProvDocument:
    result = ProvDocument()
    result.add_namespace("ex", "https://example.org/")
    activity = result.activity(f"ex:run{run_number}")
    for number in range(files):
        entity = result.entity(FILES[f"run{run_number}/file{number}"], {"ex:size": number * 100})
        result.wasGeneratedBy(entity, activity)
    return result


def run() -> object:
    return [len(document(number, 12).get_records()) for number in range(230)]
