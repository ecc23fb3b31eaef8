"""One question for each element."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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
