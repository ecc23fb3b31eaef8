"""A parcel carrier: what a help desk does not have.

About 0.65 million rows: quoted names, enums, uuid keys, arrays, jsonb, a generated tsvector, soft
deletion, an append-only time series, a wide table; keyset pages, lists, EXISTS, windows, OR,
DISTINCT ON, lateral joins, ranges over two columns, upserts, cascades. Four existing indexes are
useless, two only look so. Deterministic. The interface is that of `db/desk.py`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

NAME = "parcel"
NOW = datetime(2026, 2, 16, 8, tzinfo=UTC)
CARRIERS, DEPOTS, CUSTOMERS, ADDRESSES = 60, 140, 40_000, 50_000
SHIPMENTS, SCANS, LINES, EVENTS = 110_000, 250_000, 80_000, 90_000
RATES, FAQS, KEYS = 12_000, 8_000, 10_000
PURGED = 2_000  # the oldest shipments: the workload deletes some, and touches them no more
SPARE_CARRIERS = 8  # the last ones are the least used; the workload deletes them
LINE_TABLE = '"invoiceLine"'
TABLES = [
    *("carrier", "depot", "customer", "address", "shipment", "scan", LINE_TABLE),
    *("rate_window", "faq", "dedupe", "event_log"),
]
DDL = """
create type tier as enum ('basic', 'silver', 'gold');
create type shipment_state as enum ('label', 'in_transit', 'held', 'delivered', 'lost', 'returned');
create table carrier(id integer primary key, code text not null unique, "displayName" text not null,
  active boolean not null);
create table depot(id smallint primary key, city text not null, region text not null);
create table customer(id uuid primary key, email text not null, name text not null,
  tier tier not null, "marketingOptIn" boolean not null, created_at timestamptz not null,
  seen_at timestamptz, deleted_at timestamptz);
create table address(id integer primary key, customer_id uuid not null references customer(id),
  country char(2) not null, postcode varchar(12) not null, street text not null,
  is_default boolean not null);
create table shipment(id bigint primary key, tracking text not null unique,
  customer_id uuid not null references customer(id),
  carrier_id integer references carrier(id) on delete set null,
  depot_id smallint not null references depot(id), state shipment_state not null,
  "serviceLevel" text not null, "customerRef" text, weight_g integer not null,
  length_mm integer not null, width_mm integer not null, height_mm integer not null,
  price numeric(10,2) not null, insured numeric(10,2) not null, currency char(3) not null,
  tags text[] not null, meta jsonb not null, note text not null, created_at timestamptz not null,
  promised_at timestamptz not null, delivered_at timestamptz, deleted_at timestamptz);
create table scan(id bigint primary key,
  shipment_id bigint not null references shipment(id) on delete cascade,
  depot_id smallint not null, kind text not null, "deviceNo" integer not null,
  at timestamptz not null);
create table "invoiceLine"(id integer primary key,
  shipment_id bigint not null references shipment(id) on delete cascade,
  sku text not null, amount numeric(10,2) not null, settled boolean not null);
create table rate_window(id integer primary key, carrier_id integer not null,
  zone smallint not null, valid_from date not null, valid_to date not null,
  price numeric(10,2) not null);
create table faq(id integer primary key, title text not null, body text not null,
  lang text not null,
  doc tsvector generated always as (to_tsvector('english', title || ' ' || body)) stored);
create table dedupe(key text primary key, hits integer not null, last_at timestamptz not null);
create table event_log(id bigint primary key, at timestamptz not null, actor text not null,
  kind text not null, payload jsonb not null)
"""
POST_DDL = """
create unique index customer_email_live on customer(email) where deleted_at is null;
create index shipment_customer on shipment(customer_id);
create index shipment_customer_created on shipment(customer_id, created_at);
create index shipment_carrier on shipment(carrier_id);
create index scan_device on scan("deviceNo");
create index address_customer_a on address(customer_id);
create index address_customer_b on address(customer_id);
create index customer_seen on customer(seen_at)
"""
RULES = {
    "drop_any": [
        ["shipment_customer"],
        ["scan_device"],
        ["address_customer_a", "address_customer_b"],
        ["customer_seen"],
    ],
    "protected": ["shipment_carrier", "customer_email_live"],
    "no_index_tables": ["event_log"],
}

WORDS = """
aisle anchor axle bale barge bay belt bin bolt bond box brake bridge bulk buoy cable cargo cart
case chain chute claim clerk coach coast cord crane crate crew curb customs dock dolly dray drum
ferry fleet flow fork frame freight fuel gate gauge grid guard harbor haul hitch hoist hold hook
hull jetty key label lane latch lift line load lock manifest mast meter mile mount net notice
orbit order pack pallet panel pass patch permit pier pilot plate pole pool port post pouch proof
pulley quay rack raft rail ramp rate reach reel relay rig ring roll rope route sack scale seal
shelf ship shore shunt siding skid slip slot span spool stack stamp stock strap tag tank tarp
toll tow track trailer tray trolley truck tube tug unit vault vessel wagon weight wharf winch
yard
""".split()  # noqa: SIM905 - a list would fill a page
CITIES = ("Aarhus", "Basel", "Cork", "Delft", "Espoo", "Faro", "Ghent", "Hull", "Izmir", "Jena")
COUNTRIES = ("DE",) * 6 + ("FR",) * 4 + ("NL", "NL", "BE", "AT", "IE")
LEVELS = ("economy",) * 5 + ("standard",) * 8 + ("express",) * 2 + ("sameday",)
TAGS = ("fragile", "cold", "heavy", "return", "gift", "customs", "hazmat", "signature", "age18")
KINDS = ("pickup", "sorted", "sorted", "departed", "arrived", "out", "handover")

Random = random.Random
Row = tuple[Any, ...]


def skew(r: Random, n: int, power: float = 2.2) -> int:
    """A number below `n`; small ones are frequent."""
    return min(n - 1, int(n * r.random() ** power))


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S+00")


def customer_key(i: int) -> str:
    """A uuid whose order has nothing to do with `i`."""
    return f"{i * 2654435761 % 2**32:08x}-{i % 4096:04x}-4a1b-8c2d-{i:012x}"


def email(i: int) -> str:
    return f"{WORDS[i % len(WORDS)].title()}.{WORDS[i * 5 % len(WORDS)]}{i}@Mail{i % 7}.example"


def tracking(i: int) -> str:
    return f"PX{i * 48271 % 2**31:010d}{i:06d}"


def created(i: int) -> datetime:
    """One shipment every four minutes, up to now."""
    return NOW - timedelta(seconds=(SHIPMENTS - i) * 240)


def words(r: Random, count: int) -> str:
    return " ".join(r.choice(WORDS) for _ in range(count))


def part(r: Random) -> str:
    """A rare word, such as the number of a part."""
    return f"{r.choice(WORDS)}{r.randrange(40)}"


def rows(table: str) -> Iterator[Row]:
    """The rows of one table."""
    return _MAKERS[table](random.Random(f"parcel:{table}"))


def _carriers(r: Random) -> Iterator[Row]:
    for i in range(CARRIERS):
        yield i, f"C{i:03d}", f"{r.choice(WORDS).title()} {r.choice(CITIES)}", r.random() < 0.8


def _depots(r: Random) -> Iterator[Row]:
    for i in range(DEPOTS):
        yield i, CITIES[i % len(CITIES)], r.choice(("north", "south", "east", "west"))


def _customers(r: Random) -> Iterator[Row]:
    for i in range(CUSTOMERS):
        x, joined = r.random(), NOW - timedelta(minutes=r.randrange(1_500_000))
        tier = "gold" if x < 0.02 else "silver" if x < 0.15 else "basic"
        gone = moment(joined + timedelta(days=r.randrange(90))) if r.random() < 0.1 else None
        seen = moment(NOW - timedelta(minutes=r.randrange(90_000)))
        opted, name = r.random() < 0.3, words(r, 2).title()
        yield customer_key(i), email(i), name, tier, opted, moment(joined), seen, gone


def _addresses(r: Random) -> Iterator[Row]:
    for i in range(ADDRESSES):
        owner = i if i < CUSTOMERS - 300 else r.randrange(CUSTOMERS - 300)
        street = f"{r.choice(WORDS).title()} Street {r.randrange(200)}"
        yield i, customer_key(owner), r.choice(COUNTRIES), postcode(r), street, i < CUSTOMERS


def postcode(r: Random) -> str:
    return f"{r.choice('ABCDEFGH')}{r.choice('KLMNPRST')}{r.randrange(100):02d} {r.randrange(40)}"


def _state(r: Random, i: int) -> str:
    x = r.random()
    if i > SHIPMENTS * 0.97:
        return "label" if x < 0.15 else "held" if x < 0.2 else "in_transit"
    return (
        "delivered" if x < 0.965 else "lost" if x < 0.972 else "held" if x < 0.975 else "returned"
    )


def _shipments(r: Random) -> Iterator[Row]:
    for i in range(SHIPMENTS):
        at, state = created(i), _state(r, i)
        meta: dict[str, Any] = {
            "channel": r.choice(("web", "api", "shop")),
            "parts": r.randrange(9),
        }
        if r.random() < 0.04:
            meta["promo"] = f"{r.choice(WORDS)}{r.randrange(30)}"
        tags = sorted({r.choice(TAGS) for _ in range(r.choice((0, 0, 0, 1, 1, 2, 3)))})
        reference = f"REF-{r.randrange(10**7)}" if r.random() < 0.6 else None
        size = r.randrange(50, 1200), r.randrange(50, 800), r.randrange(10, 600)
        money = round(3 + 60 * r.random() ** 3, 2), r.choice((0, 0, 0, 50, 500)), "EUR"
        promised = at + timedelta(hours=r.choice((24, 48, 72)))
        arrived = at + timedelta(hours=r.randrange(8, 200))
        yield (
            *(i, tracking(i), customer_key(skew(r, CUSTOMERS)), skew(r, CARRIERS), skew(r, DEPOTS)),
            *(state, r.choice(LEVELS), reference, int(80 + 40_000 * r.random() ** 6)),
            *(*size, *money, tags, json.dumps(meta), words(r, 8), moment(at), moment(promised)),
            moment(arrived) if state == "delivered" else None,
            moment(at + timedelta(days=3)) if r.random() < 0.02 else None,
        )


def _scans(r: Random) -> Iterator[Row]:
    for i in range(SCANS):
        shipment = min(SHIPMENTS - 1, max(0, i * SHIPMENTS // SCANS + r.randrange(-600, 600)))
        kind = "exception" if r.random() < 0.012 else r.choice(KINDS)
        at = NOW - timedelta(seconds=(SCANS - i) * 105)
        yield i, shipment, skew(r, DEPOTS), kind, r.randrange(4000), moment(at)


def _lines(r: Random) -> Iterator[Row]:
    for i in range(LINES):
        fresh, amount = i > LINES * 0.98, round(2 + 90 * r.random() ** 2, 2)
        settled = r.random() > (0.3 if fresh else 0.002)
        yield i, r.randrange(SHIPMENTS), f"SKU{skew(r, 900)}", amount, settled


def _rates(r: Random) -> Iterator[Row]:
    per_zone = RATES // (CARRIERS * 10)
    for i in range(RATES):
        pair, number = divmod(i, per_zone)
        start = (NOW - timedelta(days=60 * (per_zone - number))).date()
        carrier, zone = pair % CARRIERS, pair // CARRIERS
        yield i, carrier, zone, start, start + timedelta(days=60), round(2 + 30 * r.random(), 2)


def _faqs(r: Random) -> Iterator[Row]:
    for i in range(FAQS):
        body = " ".join(part(r) for _ in range(20))
        yield i, words(r, 5).title(), f"{words(r, 20)} {body}", r.choice(("en", "en", "de"))


def _keys(r: Random) -> Iterator[Row]:
    for i in range(KEYS):
        yield f"k-{i}", r.randrange(50), moment(NOW - timedelta(minutes=r.randrange(9000)))


def _events(r: Random) -> Iterator[Row]:
    for i in range(EVENTS):
        actor, kind = f"svc{r.randrange(20)}", r.choice(("call", "call", "retry", "fail"))
        yield i, moment(NOW - timedelta(seconds=(EVENTS - i) * 9)), actor, kind, event(r)


def event(r: Random) -> str:
    return json.dumps({"trace": f"{r.randrange(2**40):010x}", "ms": r.randrange(900)})


_MAKERS: dict[str, Callable[[Random], Iterator[Row]]] = {
    "carrier": _carriers,
    "depot": _depots,
    "customer": _customers,
    "address": _addresses,
    "shipment": _shipments,
    "scan": _scans,
    LINE_TABLE: _lines,
    "rate_window": _rates,
    "faq": _faqs,
    "dedupe": _keys,
    "event_log": _events,
}

# --- Workload -------------------------------------------------------------------------------------

TEMPLATES: list[dict[str, Any]] = []
_next = [50_000_000]


def new_id() -> int:
    _next[0] += 1
    return _next[0]


def recent(r: Random) -> int:
    return SHIPMENTS - 1 - skew(r, SHIPMENTS - PURGED)


def owner(r: Random) -> str:
    return customer_key(skew(r, CUSTOMERS))


def days_ago(r: Random, most: int) -> datetime:
    return NOW - timedelta(days=r.randrange(1, most), seconds=r.randrange(86_400))


def reads(name: str, n: int, sql: str, params: Callable[[Random], Any] | None = None) -> None:
    TEMPLATES.append({"name": name, "n": n, "kind": "r", "sql": sql, "params": params})


def writes(
    name: str,
    n: int,
    sql: str | list[str] | None,
    params: Callable[[Random], Any],
    **more: str,
) -> None:
    TEMPLATES.append({"name": name, "n": n, "kind": "w", "sql": sql, "params": params, **more})


def _window(days: int, most: int) -> Callable[[Random], Any]:
    def between(r: Random) -> dict[str, str]:
        start = days_ago(r, most)
        return {"a": moment(start), "b": moment(start + timedelta(days=days))}

    return between


reads(
    "track",
    300,
    "select id, state, promised_at from shipment where tracking = %(t)s",
    lambda r: {"t": tracking(recent(r))},
)
reads(
    "customer_pk",
    350,
    "select name, tier from customer where id = %(c)s",
    lambda r: {"c": owner(r)},
)
reads(
    "history_page",
    120,
    "select id, tracking, state, created_at from shipment where customer_id = %(c)s"
    " and (created_at, id) < (%(d)s, %(i)s) order by created_at desc, id desc limit 20",
    lambda r: {"c": owner(r), "d": moment(days_ago(r, 60)), "i": recent(r)},
)
reads(
    "depot_queue",
    110,
    "select id, tracking, promised_at from shipment where depot_id = %(d)s and state = 'in_transit'"
    " and (promised_at, id) > (%(p)s, %(i)s) order by promised_at, id limit 25",
    lambda r: {"d": skew(r, DEPOTS), "p": moment(NOW - timedelta(hours=r.randrange(96))), "i": 0},
)
reads(
    "scans_of_list",
    90,
    "select id, shipment_id, kind, at from scan where shipment_id in (%(a)s, %(b)s, %(c)s, %(d)s)"
    " order by id",
    lambda r: {key: recent(r) for key in "abcd"},
)
reads(
    "latest_scan_each",
    60,
    "select distinct on (shipment_id) shipment_id, kind, at from scan"
    " where shipment_id = any(%(s)s) order by shipment_id, at desc, id desc",
    lambda r: {"s": [recent(r) for _ in range(r.randrange(3, 12))]},
)
reads(
    "customer_last_scans",
    40,
    "select s.id, l.kind, l.at from shipment s cross join lateral (select x.kind, x.at from scan x"
    " where x.shipment_id = s.id order by x.at desc, x.id desc limit 1) l"
    " where s.customer_id = %(c)s order by s.id desc limit 10",
    lambda r: {"c": owner(r)},
)
reads(
    "gold_with_loss",
    6,
    "select c.id, c.name from customer c where c.tier = 'gold' and c.deleted_at is null and exists"
    " (select 1 from shipment s where s.customer_id = c.id and s.state = 'lost') order by c.id",
)
reads(
    "dearest_each",
    8,
    "select id, price from (select s.id, s.price, row_number() over (partition by s.customer_id"
    " order by s.price desc, s.id) as place from shipment s where s.created_at >= %(a)s"
    " and s.created_at < %(b)s) ranked where place = 1 order by price desc, id limit 20",
    _window(2, 250),
)
reads(
    "find_reference",
    80,
    'select id, tracking from shipment where (tracking = %(x)s or "customerRef" = %(x)s)'
    " and deleted_at is null order by id",
    lambda r: {"x": f"REF-{r.randrange(10**7)}"},
)
reads(
    "tagged",
    25,
    "select id, tracking from shipment where tags @> %(t)s order by id desc limit 50",
    lambda r: {"t": sorted(r.sample(TAGS, 3))},
)
reads(
    "search_faq",
    60,
    "select id, title from faq where doc @@ plainto_tsquery('english', %(q)s) order by id limit 10",
    lambda r: {"q": f"{r.choice(WORDS)} {part(r)}"},
)
reads(
    "sign_in",
    140,
    "select id, name from customer where lower(email) = %(e)s and deleted_at is null",
    lambda r: {"e": email(skew(r, CUSTOMERS)).lower()},
)
reads(
    "unsettled",
    40,
    'select id, sku, amount from "invoiceLine" where not settled order by id limit 50',
)
reads(
    "rate_on_day",
    150,
    "select price from rate_window where carrier_id = %(c)s and zone = %(z)s"
    " and valid_from <= %(d)s and valid_to > %(d)s",
    lambda r: {"c": skew(r, CARRIERS), "z": r.randrange(10), "d": days_ago(r, 1000).date()},
)
reads(
    "held_count",
    60,
    "select count(*) from shipment where depot_id = %(d)s and state = 'held'"
    " and deleted_at is null",
    lambda r: {"d": skew(r, DEPOTS)},
)
reads(
    "promotion",
    15,
    "select id, price from shipment where meta->>'promo' = %(p)s order by id",
    lambda r: {"p": f"{r.choice(WORDS)}{r.randrange(30)}"},
)
reads(
    "scan_volume",
    12,
    "select kind, count(*) from scan where at >= %(a)s and at < %(b)s group by kind order by kind",
    _window(3, 250),
)
reads(
    "depot_exceptions",
    50,
    "select id, shipment_id, at from scan where depot_id = %(d)s and kind = 'exception'"
    " order by at desc, id desc limit 30",
    lambda r: {"d": skew(r, DEPOTS)},
)
reads(
    "neighbours",
    30,
    "select s.id, s.tracking from address a join shipment s on s.customer_id = a.customer_id"
    " where a.country = %(c)s and a.postcode = %(p)s and s.created_at > %(d)s order by s.id",
    lambda r: {"c": r.choice(COUNTRIES), "p": postcode(r), "d": moment(days_ago(r, 90))},
)
reads(
    "postcode_prefix",
    25,
    "select id, street from address where postcode like %(p)s and is_default order by id limit 40",
    lambda r: {"p": postcode(r)[:4] + "%"},
)
reads(
    "created_on_day",
    20,
    "select count(*) from shipment where (created_at at time zone 'UTC')::date = %(d)s",
    lambda r: {"d": days_ago(r, 280).date()},
)
reads(
    "last_delivered",
    40,
    "select id, delivered_at from shipment where depot_id = %(d)s"
    " order by delivered_at desc nulls last, id limit 20",
    lambda r: {"d": skew(r, DEPOTS)},
)
reads(
    "lines_of_shipment",
    120,
    'select l.sku, l.amount, s.currency from "invoiceLine" l'
    " join shipment s on s.id = l.shipment_id where l.shipment_id = %(s)s order by l.id",
    lambda r: {"s": recent(r)},
)
reads(
    "heavy_open",
    15,
    "select id, weight_g from shipment where weight_g > %(w)s and delivered_at is null"
    " order by weight_g desc, id limit 20",
    lambda r: {"w": r.randrange(15, 35) * 1000},
)
reads("levels", 2, 'select "serviceLevel", count(*) from shipment group by 1 order by 1')
reads(
    "no_address",
    2,
    "select count(*) from customer c left join address a on a.customer_id = c.id"
    " where a.id is null",
)
reads(
    "trace",
    1,
    "select id, at from event_log where payload->>'trace' = %(t)s order by id",
    lambda r: {"t": f"{r.randrange(2**40):010x}"},
)

writes(
    "w_scan",
    100,
    None,
    lambda r: [
        (new_id(), recent(r), skew(r, DEPOTS), r.choice(KINDS), r.randrange(4000), moment(NOW))
        for _ in range(20)
    ],
    many='insert into scan(id, shipment_id, depot_id, kind, "deviceNo", at)',
)
writes(
    "w_event",
    200,
    None,
    lambda r: [
        (new_id(), moment(NOW), f"svc{r.randrange(20)}", "call", event(r)) for _ in range(40)
    ],
    many="insert into event_log(id, at, actor, kind, payload)",
)
writes(
    "w_ship",
    500,
    "insert into shipment values (%(i)s, %(t)s, %(c)s, %(k)s, %(d)s, 'label', 'standard', null,"
    " 900, 200, 200, 100, 5.90, 0, 'EUR', '{gift}', '{\"channel\": \"web\"}', 'new', %(a)s, %(p)s)",
    lambda r: {
        "i": (i := new_id()),
        "t": f"PN{i}",
        "c": owner(r),
        "k": skew(r, CARRIERS - SPARE_CARRIERS),
        "d": skew(r, DEPOTS),
        "a": moment(NOW),
        "p": moment(NOW + timedelta(days=2)),
    },
)
writes(
    "w_deliver",
    700,
    "update shipment set state = 'delivered', delivered_at = %(d)s where id = %(i)s",
    lambda r: {"i": recent(r), "d": moment(NOW)},
)
writes(
    "w_upsert",
    800,
    "insert into dedupe(key, hits, last_at) values (%(k)s, 1, %(d)s) on conflict (key)"
    " do update set hits = dedupe.hits + 1, last_at = excluded.last_at",
    lambda r: {"k": f"k-{skew(r, KEYS + 2000)}", "d": moment(NOW)},
)
writes(
    "w_seen",
    1200,
    "update customer set seen_at = %(d)s where id = %(c)s",
    lambda r: {"c": owner(r), "d": moment(NOW + timedelta(seconds=r.randrange(9999)))},
)
writes(
    "w_settle",
    240,
    'update "invoiceLine" set settled = true where id = %(i)s',
    lambda r: {"i": LINES - 1 - skew(r, LINES)},
)
writes(
    "w_soft_delete",
    80,
    "update shipment set deleted_at = %(d)s where id = %(i)s and deleted_at is null",
    lambda r: {"i": recent(r), "d": moment(NOW)},
)
writes("w_purge", 6, "delete from shipment where id = %(i)s", lambda r: {"i": r.randrange(PURGED)})
writes(
    "w_carrier_gone",
    3,
    [
        "delete from rate_window where carrier_id = %(c)s",
        "delete from carrier where id = %(c)s",
    ],
    lambda r: {"c": r.randrange(CARRIERS - SPARE_CARRIERS, CARRIERS)},
)
