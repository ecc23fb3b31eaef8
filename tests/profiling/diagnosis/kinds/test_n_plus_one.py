"""One question for each element."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "n_plus_one"


def test_the_loop_and_the_function_that_asks_are_both_named() -> None:
    text = """
        class Store:
            def name(self, key):
                row = self.db.execute("SELECT name FROM c WHERE id = ?", (key,))
                return row.fetchone()
        def label(store, order):
            return store.name(order.customer)
        def page(store, orders):
            return [label(store, order) for order in orders]
    """
    path = ("label(store, order) for", "return store.name", "self.db.execute")
    assert culprits(RULE, text, path) == ["page", "Store.name"]


def test_requests_in_a_loop_are_found() -> None:
    text = """
        import requests
        def fetch(urls):
            for url in urls:
                yield requests.get(url).json()
    """
    answer = ("site-packages/requests/api.py", "get")
    assert culprits(RULE, text, ("requests.get", answer), state="waiting") == ["fetch"]


def test_reading_the_rows_of_one_query_is_no_fault() -> None:
    text = """
        def names(db):
            rows = db.execute("SELECT name FROM c")
            return [row[0] for row in rows]
        def run(db):
            return names(db)
    """
    assert culprits(RULE, text, ("return names", "row[0] for")) == []


def test_reading_the_rows_of_a_query_of_each_turn_is_part_of_it() -> None:
    text = """
        def names(db, keys):
            for key in keys:
                rows = db.execute("SELECT name FROM c WHERE id = ?", (key,))
                for row in rows:
                    yield row
    """
    assert causes(text, ("rows = db",), ("yield row",)) == {"names": "n-plus-one"}


def test_a_server_that_answers_asks_nobody() -> None:
    text = """
        def answer(request):
            for part in request.parts:
                request.wfile.write(part)
    """
    server = ("socketserver.py", "process_request_thread")
    path = (server, "request.wfile.write", ("socket.py", "sendall"))
    assert "n-plus-one" not in causes(text, path).values()


def test_polling_in_a_while_loop_has_no_elements() -> None:
    text = """
        import requests
        def wait(url):
            while not requests.get(url).ok:
                pass
    """
    answer = ("site-packages/requests/api.py", "get")
    assert causes(text, ("requests.get", answer), state="waiting") == {}
