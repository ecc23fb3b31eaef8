"""The same document again."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments
from tests.profiling.diagnosis.kinds.claims import causes, culprits, kinds_in

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


def test_parsing_one_text_in_each_turn_is_found() -> None:
    text = """
        import json
        def rows(names, document):
            for name in names:
                yield json.loads(document)[name]
    """
    assert causes(text, ("yield json.loads", DECODE)) == {"rows": "json-reparse"}


def test_what_each_turn_reads_from_a_socket_is_new() -> None:
    text = """
        import json
        class Reader:
            def message(self):
                return json.loads(self.stream.receive())
        def run(reader, names):
            for name in names:
                reader.message()
    """
    path = ("reader.message()", "return json.loads", DECODE)
    assert causes(text, path) == {}


def test_another_object_for_each_call_has_another_text() -> None:
    text = """
        import json
        class Event:
            def kind(self):
                return json.loads(self.raw)["kind"]
        def run(events):
            for event in events:
                event.kind()
    """
    profile = example(text, ("event.kind()", "return json.loads", DECODE))
    event = frame_of(dedent(text), "def kind").function
    looks = Arguments(
        function=event, looks=100, distinct=100, by_value=False, each=(("self", 100),)
    )
    assert kinds_in(replace(profile, arguments=(looks,))) == {}


def test_a_little_parsing_beside_the_work_is_no_fault() -> None:
    text = """
        import json
        def rows(names, document):
            for name in names:
                show(json.loads(document)[name])
                work(name)
    """
    rest = [("work(name)",)] * 9
    assert causes(text, ("show(json.loads", DECODE), *rest) == {}
