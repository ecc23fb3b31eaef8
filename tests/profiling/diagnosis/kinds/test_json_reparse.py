"""The same document again."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments, Call
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


EVENTS = """
    import json
    def on(function):
        def receive(message):
            function(json.loads(message))
        return receive
    def publish(receivers, message):
        for receiver in receivers:
            receiver({given})
"""


def test_each_receiver_of_one_message_parses_it() -> None:
    path = ("receiver(message)", "function(json.loads", DECODE)
    assert culprits(RULE, EVENTS.format(given="message"), path) == ["on.<locals>.receive"]


def test_each_receiver_may_have_a_message_of_its_own() -> None:
    text = EVENTS.format(given="receiver.message")
    path = ("receiver(receiver.message)", "function(json.loads", DECODE)
    assert culprits(RULE, text, path) == []


KEYS = """
    import json
    def merge(files):
        for file in files:
            for key in file.keys():
                show(json.loads(key))
    def run(pages):
        for page in pages:
            merge(page)
"""
LOADS = ("json/__init__.py", "loads")


def _keys(distinct: int) -> dict[str, str]:
    loads = frame_of(KEYS, LOADS).function
    profile = example(
        KEYS,
        ("        merge(page)", "show(json.loads", LOADS, DECODE),
        calls={("        merge(page)", "def merge"): 60},
    )
    merge = frame_of(dedent(KEYS), "def merge").function
    looks = Arguments(function=loads, looks=700, distinct=distinct, by_value=True)
    parsed = Call(caller=merge, callee=loads, count=200_000, self_s=0.0, cumulative_s=0.0)
    return kinds_in(replace(profile, arguments=(looks,), calls=(*profile.calls, parsed)))


def test_looks_at_the_parser_tell_that_texts_repeat() -> None:
    assert _keys(280) == {"merge": "json-reparse"}


def test_looks_at_the_parser_tell_that_texts_differ() -> None:
    assert _keys(500) == {}


EVENT = """
    import json
    class Event:
        @property
        def data(self):
            return json.loads(self.raw)
    def route(event):
        return event.data["kind"], event.data["user"]
    def kind(event):
        return event.data["kind"]
    def run(events):
        for event in events:
            route(event), kind(event)
"""


def test_a_property_that_a_caller_reads_twice_parses_twice() -> None:
    path = ("route(event), kind", "return event.data", "return json.loads", DECODE)
    assert culprits(RULE, EVENT, path) == ["Event.data"]


def test_a_property_read_once_for_each_object_parses_once() -> None:
    text = EVENT.replace(', event.data["user"]', "")
    path = ("route(event), kind", 'return event.data["kind"]', "return json.loads", DECODE)
    assert culprits(RULE, text, path) == []
