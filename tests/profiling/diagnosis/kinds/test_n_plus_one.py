"""One question for each element."""

from __future__ import annotations

from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits

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


SHOP = """
    class Lazy:
        def __get__(self, row, owner):
            return row.session.get(self.table, row.key)
    class Session:
        def get(self, table, key):
            return self.db.execute(f"SELECT * FROM {table} WHERE id = ?", (key,)).fetchone()
    def card(post):
        return post.author
    def front(session, posts):
        return "".join(map(card, posts))
    def run(session):
        return front(session, session.newest())
"""


def test_what_loads_an_attribute_when_it_is_read_is_named_first() -> None:
    path = ("return front", "map(card", "return post.author", "return row.session", "self.db.ex")
    assert culprits(RULE, SHOP, path) == ["front", "Session.get", "Lazy.__get__"]


def test_a_loop_that_only_counts_repeats_a_query_on_purpose() -> None:
    text = """
        def listing(db):
            return db.execute("SELECT * FROM item").fetchall()
        def bench(db):
            for _ in range(15):
                listing(db)
    """
    assert culprits(RULE, text, ("        listing(db)", "return db.execute")) == []


def test_a_query_before_the_loop_on_its_line_is_made_once() -> None:
    text = """
        def orders(db):
            return db.execute("SELECT * FROM orders").fetchall()
        def report(db):
            for order in orders(db):
                show(order)
        def run(db):
            report(db)
    """
    assert culprits(RULE, text, ("report(db)", "for order in", "return db.execute")) == []


def test_counted_calls_tell_which_call_of_a_line_is_in_its_loop() -> None:
    text = """
        def newest(db):
            return db.execute("SELECT * FROM post").fetchall()
        def page(db):
            return [show(row) for row in newest(db)]
        def run(db, days):
            return page(db)
    """
    profile = example(
        text,
        ("return page", "for row in newest", "return db.execute"),
        calls={("for row in newest", "def newest"): 40, ("return page", "def page"): 40},
    )
    assert claims(RULE, profile) == []


def test_a_query_for_each_of_three_tables_is_no_query_for_each_row() -> None:
    text = """
        def select(db, table):
            return db.execute(f"SELECT * FROM {table}").fetchall()
        def posts(db):
            for table in ("author", "section", "picture"):
                yield select(db, table)
        def front(db):
            return list(posts(db))
        def page(db):
            return front(db)
        def run(db, days):
            for day in days:
                page(db)
    """
    path = ("  page(db)", "return front(db)", "return list(posts", "yield select", "return db.ex")
    assert culprits(RULE, text, path) == []
