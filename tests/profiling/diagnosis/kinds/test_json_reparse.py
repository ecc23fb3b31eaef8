"""The same document again."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "json_reparse"

DECODE = ("json/decoder.py", "decode")


def test_a_file_read_at_each_call_is_found() -> None:
    text = """
        import json
        PATH = "settings.json"
        def setting(name):
            with open(PATH) as source:
                return json.load(source)[name]
        def run(names):
            for name in names:
                setting(name)
    """
    assert culprits(RULE, text, ("        setting(name)", "json.load", DECODE)) == ["setting"]


def test_stages_that_parse_the_same_payload_are_found() -> None:
    text = """
        import json
        def check(payload):
            return "id" in json.loads(payload)
        def route(payload):
            return json.loads(payload)["kind"]
        def run(messages):
            for message in messages:
                check(message)
                route(message)
    """
    paths = (
        ("check(message)", '"id" in json.loads', DECODE),
        ("route(message)", 'json.loads(payload)["kind"]', DECODE),
    )
    assert culprits(RULE, text, *paths) == ["check", "route"]


def test_parsing_each_of_many_documents_is_honest_work() -> None:
    text = """
        import json
        def parse(line):
            return json.loads(line)
        def run(lines):
            return [parse(line) for line in lines]
    """
    assert culprits(RULE, text, ("parse(line) for", "return json.loads", DECODE)) == []
