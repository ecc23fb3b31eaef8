"""The example shop: the same for everybody, and what its README says of it is true."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

SHOP = Path(__file__).parents[2] / "examples" / "shop"
sys.path.insert(0, str(SHOP))  # the example is a program of its own, not a part of the package

app = importlib.import_module("shop.app")
assistant = importlib.import_module("shop.assistant")
database = importlib.import_module("shop.database")
identity = importlib.import_module("shop.identity")
media = importlib.import_module("shop.media")
moderation = importlib.import_module("shop.moderation")
recording = importlib.import_module("shop.record_workload")
related = importlib.import_module("shop.related")
schema = importlib.import_module("shop.schema")
seeding = importlib.import_module("shop.seed")
services = importlib.import_module("shop.services")
settings = importlib.import_module("shop.settings")
traffic = importlib.import_module("shop.traffic")

SMALL = 0.02
MAX_COMMITTED_BYTES = 400_000
WRITES = ("INSERT", "UPDATE", "DELETE")


class Browser:
    """One visitor, without a network and without a loop of its own."""

    def __init__(self, site: ASGIApp) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(site),
            base_url="http://shop.example",
            follow_redirects=True,
        )

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Open a page."""
        return asyncio.run(self._client.get(path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a form, or JSON."""
        return asyncio.run(self._client.post(path, **options))


@pytest.fixture(scope="module")
def small_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small database that no test changes."""
    path = tmp_path_factory.mktemp("small") / "shop.db"
    seeding.seed(path, scale=SMALL)
    return path


@pytest.fixture(scope="module")
def full_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database at its real size, which no test changes."""
    path = tmp_path_factory.mktemp("full") / "shop.db"
    seeding.seed(path)
    return path


@pytest.fixture
def site(small_db: Path, tmp_path: Path) -> Iterator[Browser]:
    """A browser before a small shop of its own, at the end of the seeded history."""
    path = tmp_path / "shop.db"
    path.write_bytes(small_db.read_bytes())
    shop = services.open_shop(settings.Settings(db=path, now=identity.NOW))
    try:
        yield Browser(app.build_app(shop.settings, shop=shop))
    finally:
        shop.db.close()


def workload() -> list[dict[str, Any]]:
    """Return the committed recording."""
    return [json.loads(line) for line in (SHOP / "workload.jsonl").read_text().splitlines()]


def statements(lines: Sequence[str]) -> list[tuple[str, tuple[object, ...]]]:
    """Return what a recording says, without the durations."""
    return [(entry["sql"], tuple(entry["params"])) for entry in map(json.loads, lines)]


def content_hash(path: Path) -> str:
    """Return a hash of the schema and of all rows."""
    with closing(sqlite3.connect(path)) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


def replay(path: Path, *, script: str = "") -> int:
    """Run the recording after a script, roll all back, and return the steps of the machine."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN")
        for statement in script.split(";"):
            connection.execute(statement)
        connection.set_progress_handler(count, 100)
        for entry in workload():
            connection.execute(entry["sql"], entry["params"]).fetchall()
        connection.execute("ROLLBACK")
    return steps


def csrf_of(page: httpx.Response) -> str:
    """Return the token in the page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found.group(1)


def log_in(site: Browser, *, number: int, password: str = identity.PASSWORD) -> httpx.Response:
    """Log in as a seeded customer."""
    form = {"email": identity.customer_email(number).upper(), "password": password}
    return site.post("/login", data=form | {"csrf": csrf_of(site.get("/login"))})


def first_product(site: Browser) -> str:
    """Return the path of the first product in some category."""
    found = re.search(r'href="(/p/[^"]+)"', site.get("/c/home-rugs").text)
    assert found is not None
    return found.group(1)


# --- Seed -----------------------------------------------------------------------------------------


def test_two_seeds_give_the_same_database(small_db: Path, tmp_path: Path) -> None:
    seeding.seed(tmp_path / "again.db", scale=SMALL)
    assert content_hash(tmp_path / "again.db") == content_hash(small_db)


def test_the_full_shop_has_about_200_000_rows(full_db: Path) -> None:
    with closing(sqlite3.connect(full_db)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        rows = sum(
            connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]
            for (name,) in tables.fetchall()
        )
    assert 190_000 <= rows <= 215_000


def test_the_seed_tells_how_many_rows_it_wrote(tmp_path: Path) -> None:
    told: dict[str, int] = {}
    rows = seeding.seed(tmp_path / "shop.db", scale=SMALL, progress=told.__setitem__)
    assert rows == sum(told.values())


def test_seeded_rows_refer_to_rows_that_exist(small_db: Path) -> None:
    with closing(sqlite3.connect(small_db)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_seeding_replaces_what_was_there(small_db: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_text("not a database")
    seeding.seed(path, scale=SMALL)
    assert content_hash(path) == content_hash(small_db)


def test_seeding_needs_the_standard_library_only(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-S", "-m", "shop.seed", str(tmp_path / "shop.db"), "--scale", "0.01"],
        capture_output=True,
        check=False,
        cwd=SHOP,
        text=True,
    )
    assert child.returncode == 0, child.stderr


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/c/home",
        "/c/home-rugs",
        "/c/home-rugs?page=2",
        "/cart",
        "/health",
        "/login",
        "/promotion",
        "/search",
        "/search?q=linen",
        "/static/css/shop.css",
        "/static/js/shop.js",
    ],
)
def test_pages_for_everybody_answer(site: Browser, path: str) -> None:
    assert site.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/orders", "/admin/orders/1", "/admin/customers?q=mue", "/admin/audit"],
)
def test_pages_for_the_staff_answer_the_staff(site: Browser, path: str) -> None:
    log_in(site, number=identity.STAFF_ID)
    assert site.get(path).status_code == 200


def test_pages_for_the_staff_refuse_customers(site: Browser) -> None:
    log_in(site, number=5)
    assert site.get("/admin").status_code == 403


def test_the_account_asks_strangers_to_log_in(site: Browser) -> None:
    assert site.get("/account").status_code == 401


def test_a_wrong_password_is_refused(site: Browser) -> None:
    assert log_in(site, number=5, password="wrong").status_code == 401


def test_a_form_from_another_site_is_refused(site: Browser) -> None:
    log_in(site, number=5)
    assert site.post("/checkout", data={"csrf": "forged"}).status_code == 403


def test_a_customer_can_order(site: Browser) -> None:
    product = first_product(site)
    log_in(site, number=5)
    form = {"csrf": csrf_of(site.get(product)), "product": product.removeprefix("/p/")}
    cart = site.post("/cart/add", data=form | {"quantity": "2"})
    order = site.post("/checkout", data={"csrf": csrf_of(cart)})
    assert order.url.path.startswith("/account/orders/")
    assert product in order.text


def test_the_words_of_a_search_are_escaped(site: Browser) -> None:
    assert "<script>x" not in site.get("/search", params={"q": "<script>x"}).text


def test_a_missing_database_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(database.MissingDatabaseError, match=r"shop\.seed"):
        services.open_shop(settings.Settings(db=tmp_path / "absent.db"))


def test_pictures_are_the_same_for_everybody(tmp_path: Path) -> None:
    random = importlib.import_module("random").Random
    pictures = {media.picture(40, 30, rng=random("vase")) for _ in range(2)}
    assert [picture[:8] for picture in pictures] == [b"\x89PNG\r\n\x1a\n"]


# --- Faults of the application that can be counted ------------------------------------------------


def test_a_category_page_asks_for_each_rating_alone(small_db: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    shop = services.open_shop(
        settings.Settings(db=small_db, now=identity.NOW),
        observe=lambda sql, parameters, duration_ms: seen.append(sql),
    )
    Browser(app.build_app(shop.settings, shop=shop)).get("/c/home-rugs")
    shop.db.close()
    assert sum("AVG(rating)" in sql for sql in seen) > 1


def test_more_words_are_blocked_than_the_cache_of_re_holds() -> None:
    assert len(set(moderation.BLOCKED_WORDS)) > 512


def test_insults_are_found_in_any_case() -> None:
    assert moderation.blocked_words("What a SCAM!") == ["scam"]


def test_related_products_keep_their_first_place() -> None:
    assert related.merge_candidates([[3, 1], [1, 2, 3, 4]], exclude=2) == [3, 1, 4]


# --- Assistant ------------------------------------------------------------------------------------


def test_the_assistant_says_what_it_lacks(site: Browser) -> None:
    slug = first_product(site).removeprefix("/p/")
    answer = site.post("/assistant", json={"product": slug, "question": "How big is it?"})
    assert answer.status_code == 503
    assert "LLM_BASE_URL" in answer.json()["error"]


def test_each_question_costs_two_calls_with_the_whole_catalogue(small_db: Path) -> None:
    prompts: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        prompts.append(json.loads(request.content)["messages"][0]["content"])
        return httpx.Response(200, json={"choices": [{"message": {"content": "Yes."}}]})

    helper = assistant.Assistant(
        settings.Settings(llm_base_url="http://llm.example/v1"),
        transport=httpx.MockTransport(reply),
    )
    connection = database.Connection(small_db)
    answer = asyncio.run(
        helper.answer(connection, product="Rug", question="Is it soft?", now=identity.NOW)
    )
    catalogue = assistant.catalogue_lines(connection)
    connection.close()
    assert answer == "Yes."
    assert len(prompts) == 2
    assert all(catalogue[-1] in prompt for prompt in prompts)


# --- Traffic and workload -------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_statements() -> None:
    runs = [recording.record(requests=60, seed=3, scale=SMALL) for _ in range(2)]
    assert statements(runs[0]) == statements(runs[1])


def test_another_seed_gives_other_statements() -> None:
    runs = [recording.record(requests=20, seed=seed, scale=SMALL) for seed in (3, 4)]
    assert statements(runs[0]) != statements(runs[1])


def test_traffic_without_a_database_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DB", "absent.db")
    assert traffic.main(["--requests", "1"]) == 2
    assert "shop.seed absent.db" in capsys.readouterr().err


def test_the_committed_workload_begins_as_the_traffic_does() -> None:
    recorded = recording.record(requests=120, seed=1)  # all 400 take four times as long
    committed = (SHOP / "workload.jsonl").read_text().splitlines()
    assert statements(recorded) == statements(committed[: len(recorded)])


def test_one_to_two_statements_in_ten_are_writes() -> None:
    entries = workload()
    writes = sum(entry["sql"].startswith(WRITES) for entry in entries)
    assert 0.1 <= writes / len(entries) <= 0.2


def test_the_expert_needs_an_eighth_of_the_steps(full_db: Path) -> None:
    lines = (SHOP / "expert.sql").read_text().splitlines()
    script = "\n".join(line for line in lines if not line.startswith("--"))
    assert replay(full_db, script=script) * 8 < replay(full_db)


# --- Documentation --------------------------------------------------------------------------------


def test_the_readme_names_every_index() -> None:
    readme = (SHOP / "README.md").read_text()
    names = re.findall(r"CREATE INDEX (\w+)", schema.INDEXES)
    healthy = {"idx_products_brand", "idx_addresses_customer", "idx_events_session"}
    assert [name for name in names if name not in readme] == [n for n in names if n in healthy]


def test_every_place_in_the_readme_exists() -> None:
    places = re.findall(r"`([\w/]+\.(?:py|js)):([\w.]+)`", (SHOP / "README.md").read_text())
    assert len(places) > 40
    missing = [
        f"{file}:{name}"
        for file, name in places
        for part in name.split(".")
        if not re.search(rf"\b{part}\b", (SHOP / "shop" / file).read_text())
    ]
    assert missing == []


def test_the_committed_files_are_small() -> None:
    made = re.compile(r"(^|/)(data|__pycache__|\.\w+_cache)/")  # by tools and by the shop itself
    sizes = [
        path.stat().st_size
        for path in SHOP.rglob("*")
        if path.is_file() and not made.search(path.relative_to(SHOP).as_posix())
    ]
    assert sum(sizes) < MAX_COMMITTED_BYTES
