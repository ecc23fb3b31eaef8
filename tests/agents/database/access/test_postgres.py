"""How statements of PostgreSQL read their tables, resolved against the catalog."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from benchmarks._ddl import catalog_of
from benchmarks.tpch_queries import QUERIES, SCHEMA
from perfwright.agents.database.access import Analysis, analyse
from perfwright.agents.database.artifacts import Access, Shape
from perfwright.agents.database.catalog import View
from perfwright.agents.database.workload import Execution, ShapeCollector

_TABLES = """
create table org (id int primary key, slug text not null, plan text, region text);
create table agent (id int primary key, org_id int, mail text, display text, seen timestamp);
create table ticket (
    id int primary key, org_id int, requester text, subject text, status text, priority int,
    assignee_id int, opened timestamp, due timestamp, closed timestamp, active boolean,
    extra jsonb, tags text[], words tsvector);
create table message (id int primary key, ticket_id int, author_id int, sent timestamp, body text);
create table node (id int primary key, parent_id int, name text);
create table sales.orders (id int primary key, ticket_id int, state text);
create table "Order" (id int primary key, "Total" int);
create table orders_log (id int primary key, day date, amount numeric);
"""
# As pg_get_viewdef writes it.
_VIEWS = (
    View(
        name="open_ticket",
        schema="public",
        sql=" SELECT t.id,\n    t.org_id AS o,\n    (t.status)::text AS st\n   FROM (ticket t\n"
        "     JOIN org ON ((org.id = t.org_id)))\n  WHERE ((t.status)::text = ANY "
        "((ARRAY['new'::character varying, 'open'::character varying])::text[]))",
    ),
    View(name="sales.big", schema="sales", sql="SELECT * FROM sales.orders WHERE state = 'big'"),
)
CATALOG = replace(catalog_of(_TABLES), views=_VIEWS)


def shape_of(*statements: str, calls: int = 1) -> Shape:
    collector = ShapeCollector(dialect="postgres")
    for sql in statements:
        assert collector.add(Execution(sql=sql, count=calls))
    (shape,) = collector.shapes()
    return shape


def analysed(sql: str, *, calls: int = 1) -> Analysis:
    found = analyse(shape_of(sql, calls=calls), CATALOG)
    assert found.problem is None, found.problem
    return found


def access_to(table: str, sql: str, *, calls: int = 1) -> Access:
    found = [a for a in analysed(sql, calls=calls).accesses if a.table == table]
    assert len(found) == 1, found
    return found[0]


def terms(access: Access) -> set[tuple[str, str]]:
    return {(term.key, term.operator) for term in access.terms}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("id = $1", {('"id"', "=")}),
        ("status = any($1)", {('"status"', "in")}),
        ("status = any(array['a', 'b'])", {('"status"', "in")}),
        ("status = some(array['a', 'b'])", {('"status"', "in")}),
        ("status = any(array(select plan from org))", {('"status"', "in")}),
        ("'x' = any(tags)", set()),
        ("status <> all($1)", set()),
        ("status is distinct from 'x'", set()),
        ("status is not distinct from 'x'", set()),
        ("closed is not null", set()),
        ("closed notnull", set()),
        ("closed isnull", {('"closed"', "null")}),
        ("active", {('"active"', "=")}),
        ("not active", {('"active"', "=")}),
        ("active is true", {('"active"', "=")}),
        ("opened = '2026-01-01'::date", {('"opened"', "=")}),
        ("opened >= date '2026-01-01' and opened < date $1", {('"opened"', "range")}),
        ("opened > now() - interval '3 days'", {('"opened"', "range")}),
        ("opened between symmetric $1 and $2", {('"opened"', "range")}),
        ("(opened, id) > ($1, $2)", {('"opened"', "range")}),
        ("row(opened, id) < row($1, $2)", {('"opened"', "range")}),
        ("row(status, id) = row('x', 1)", {('"status"', "="), ('"id"', "=")}),
        ("(org_id, status) in ((1, 'a'), (2, 'b'))", {('"org_id"', "in"), ('"status"', "in")}),
        ("org_id operator(pg_catalog.=) 3", {('"org_id"', "=")}),
        ("extra @> '{\"a\": 1}'::jsonb", {('"extra"', "contains")}),
        ("'{\"a\": 1}'::jsonb <@ extra", {('"extra"', "contains")}),
        ("extra @? '$.a'", {('"extra"', "contains")}),
        ("extra ? 'a'", {('"extra"', "keys")}),
        ("extra ?| array['a', 'b']", {('"extra"', "keys")}),
        ("extra ?& array['a', 'b']", {('"extra"', "keys")}),
        ("tags && array['a']", {('"tags"', "overlap")}),
        ("tags && $1", {('"tags"', "overlap")}),
        ("words @@ to_tsquery('a')", {('"words"', "match")}),
        ("to_tsquery('a') @@ words", {('"words"', "match")}),
        (
            "to_tsvector('english', subject) @@ plainto_tsquery('english', $1)",
            {("to_tsvector('english',subject)", "match")},
        ),
        ("subject like 'abc%'", {('"subject"', "prefix")}),
        ("subject like $1 || '%'", {('"subject"', "prefix")}),
        ("subject ~~ 'abc%'", {('"subject"', "prefix")}),
        ("subject like 'a!%b%' escape '!'", {('"subject"', "prefix")}),
        ("subject similar to 'abc%'", {('"subject"', "prefix")}),
        ("subject ^@ 'abc'", {('"subject"', "prefix")}),
        ("subject ~ '^abc'", {('"subject"', "prefix")}),
        ("subject ~ 'abc'", {('"subject"', "like")}),
        ("subject ~* '^abc'", {('"subject"', "like")}),
        ("subject ilike 'abc%'", {('"subject"', "like")}),
        ("subject like '%abc'", {('"subject"', "like")}),
        ("subject like '%' || $1 || '%'", {('"subject"', "like")}),
        ("subject like any (array['%a%', 'b%'])", {('"subject"', "like")}),
        ("subject % 'abc'", {('"subject"', "like")}),
        ("'abc' <% subject", {('"subject"', "like")}),
        ("subject not like 'abc%'", set()),
        ("subject !~ 'abc'", set()),
        ("lower(requester) = 'x'", {("lower(requester)", "=")}),
        ("date_trunc('day', opened) = '2026-01-01'", {("date_trunc('day',opened)", "=")}),
        ("opened::date = current_date", {("opened::date", "=")}),
        ("(extra->>'channel') = 'web'", {("extra->>'channel'", "=")}),
        ("(extra->'a'->>'b')::int > 3", {("(extra->'a'->>'b')::int", "range")}),
        ("extra #>> '{a,b}' = 'x'", {("extra#>>'{a,b}'", "=")}),
        (
            "(ticket.requester || ' ' || ticket.subject) = 'a b'",
            {("requester||' '||subject", "=")},
        ),
        ("priority - -1 = 3", {("priority- -1", "=")}),
        ("opened at time zone 'UTC' > $1", {("opened at time zone 'UTC'", "range")}),
        ("extract(year from opened) = 2026", {("extract(year from opened)", "=")}),
        ("tags[1] = 'a'", {("tags[1]", "=")}),
        ("status::text = 'x'", {("status::text", "=")}),
        ("coalesce(closed, now()) > $1", set()),
        ("ctid = '(0,1)'", set()),
        ("org_id = (select id from org where slug = 'x')", {('"org_id"', "=")}),
        ("id = (select max(m.id) from message m where m.ticket_id = ticket.org_id)", set()),
        ("(org_id = 1 and status = 'a') or (org_id = 2 and due > $1)", {('"org_id"', "=")}),
    ],
)
def test_conditions_become_terms(condition: str, expected: set[tuple[str, str]]) -> None:
    assert terms(access_to("ticket", f"select id from ticket where {condition}")) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            'SELECT "ticket"."id" FROM "ticket" INNER JOIN "org" ON'
            ' ("ticket"."org_id" = "org"."id")'
            ' WHERE ("org"."slug" = \'x\' AND UPPER("ticket"."subject"::text) LIKE UPPER(\'%a%\')'
            ' AND NOT ("ticket"."active")) ORDER BY "ticket"."opened" DESC LIMIT 21',
            {('UPPER("subject"::text)', "like"), ('"active"', "="), ('"org_id"', "join")},
        ),
        (
            'SELECT 1 AS one FROM "ticket" WHERE "ticket"."org_id" = $1'
            ' AND LOWER("ticket"."requester") = LOWER($2) LIMIT $3',
            {('"org_id"', "="), ('LOWER("requester")', "=")},
        ),
        (
            "select t0_.id as id1_0_ from public.ticket t0_ cross join org o1_ where"
            " t0_.org_id=o1_.id and t0_.status in ($1 , $2) and (t0_.closed is null)",
            {('"org_id"', "join"), ('"status"', "in"), ('"closed"', "null")},
        ),
    ],
)
def test_statements_of_object_mappers_are_read(sql: str, expected: set[tuple[str, str]]) -> None:
    assert terms(access_to("ticket", sql)) == expected


def test_a_collation_keeps_its_case() -> None:
    (term,) = access_to("agent", "select 1 from agent where mail collate \"de_DE\" > 'x'").terms
    assert term.collation == "de_DE"


def test_a_pattern_is_open_when_a_recorded_value_is() -> None:
    closed = shape_of(*(f"select id from ticket where subject like '{x}%'" for x in "abc"))
    assert terms(analyse(closed, CATALOG).accesses[0]) == {('"subject"', "prefix")}
    open_ = shape_of(*(f"select id from ticket where subject like '%{x}%'" for x in "abc"))
    assert terms(analyse(open_, CATALOG).accesses[0]) == {('"subject"', "like")}


def test_an_or_keeps_what_its_sides_do_not_share() -> None:
    sql = "select 1 from ticket where (org_id = 1 and status = 'a') or (org_id = 2 and due > $1)"
    branches = access_to("ticket", sql).branches
    assert [[t.key for t in side] for side in branches] == [['"status"'], ['"due"']]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "select 1 from ticket t left join (message m join agent a on m.author_id = a.id)"
            " on m.ticket_id = t.id where a.org_id = 3",
            {
                "ticket": {('"id"', "join")},
                "message": {('"author_id"', "join"), ('"ticket_id"', "join")},
                "agent": {('"id"', "join"), ('"org_id"', "=")},
            },
        ),
        (
            "select 1 from org, lateral (select * from ticket where ticket.org_id = org.id"
            " order by opened desc limit 3) x where org.plan = 'pro'",
            {"org": {('"plan"', "=")}, "ticket": {('"org_id"', "=")}},
        ),
        (
            "with recursive r(i, p) as (select id, parent_id from node where name = 'x' union all"
            " select n.id, n.author_id from r join ticket t on t.id = r.i join message n"
            " on n.ticket_id = t.id) select * from r where p = 3",
            {
                "node": {('"name"', "=")},
                "ticket": {('"id"', "="), ('"id"', "join")},
                "message": {('"ticket_id"', "join")},
            },
        ),
        (
            "select * from (select id, org_id as o from ticket union all select id, org_id"
            " from agent) u where u.o = 3",
            {"ticket": {('"org_id"', "=")}, "agent": {('"org_id"', "=")}},
        ),
        (
            "with u(a, b) as (select id, status from ticket) select * from u where b = 'x'",
            {"ticket": {('"status"', "=")}},
        ),
        (
            "select 1 from ticket join message using (id) natural join node",
            {
                "ticket": {('"id"', "join")},
                "message": {('"id"', "join")},
                "node": {('"id"', "join")},
            },
        ),
        (
            "select 1 from ticket where id in (select ticket_id from message where author_id = 3)",
            {
                "ticket": {('"id"', "in")},
                "message": {('"ticket_id"', "join"), ('"author_id"', "=")},
            },
        ),
        (
            "select 1 from ticket where id = any(select ticket_id from message)",
            {"ticket": {('"id"', "in")}, "message": {('"ticket_id"', "join")}},
        ),
        (
            "select 1 from ticket where id not in (select ticket_id from message)",
            {"ticket": set(), "message": set()},
        ),
        (
            "select 1 from unnest($1::int[]) as u(id) join ticket t on t.id = u.id",
            {"ticket": {('"id"', "=")}},
        ),
        ("select 1 from ticket as t(a, b) where t.b = 3", {"ticket": {('"org_id"', "=")}}),
        ("select 1 from sales.orders where state = 'x'", {"sales.orders": {('"state"', "=")}}),
        (
            "select 1 from sales.big where id = 3",
            {"sales.orders": {('"state"', "="), ('"id"', "=")}},
        ),
        ('select 1 from "Order" where "Total" = 3', {"Order": {('"Total"', "=")}}),
        ("select 1 from public.org o where o.slug = 'x'", {"org": {('"slug"', "=")}}),
        (
            "select 1 from open_ticket v where v.o = 3",
            {
                "ticket": {("(status)::text", "in"), ('"org_id"', "join"), ('"org_id"', "=")},
                "org": {('"id"', "join")},
            },
        ),
        (
            "select 1 from ticket where id = 3 for update of ticket skip locked",
            {"ticket": {('"id"', "=")}},
        ),
        ("table org", {"org": set()}),
        (
            "update ticket t set status = 'x', due = m.sent from message m join agent a"
            " on a.id = m.author_id where m.ticket_id = t.id and a.org_id = 3 returning t.*",
            {
                "ticket": {('"id"', "join")},
                "message": {('"ticket_id"', "join"), ('"author_id"', "join")},
                "agent": {('"id"', "join"), ('"org_id"', "=")},
            },
        ),
        (
            "delete from message using ticket where ticket.id = message.ticket_id"
            " and ticket.status = 'x'",
            {"message": {('"ticket_id"', "join")}, "ticket": {('"id"', "join"), ('"status"', "=")}},
        ),
        (
            "merge into ticket t using (select * from message where sent > $1) m"
            " on t.id = m.ticket_id when matched then update set due = m.sent"
            " when not matched then insert (id) values (m.ticket_id)",
            {
                "ticket": {('"id"', "join")},
                "message": {('"sent"', "range"), ('"ticket_id"', "join")},
            },
        ),
        (
            "with x as (update ticket set status = 'c' where assignee_id = 3 returning id, org_id),"
            " y as (delete from message using x where message.ticket_id = x.id returning 1),"
            " z as (insert into node (id) select id from agent where mail = 'x' returning id)"
            " select * from x join org on org.id = x.org_id",
            {
                "ticket": {('"assignee_id"', "="), ('"org_id"', "join")},
                "message": {('"ticket_id"', "=")},
                "agent": {('"mail"', "=")},
                "org": {('"id"', "join")},
            },
        ),
        (
            "insert into node (id) select id from ticket where org_id = 3 on conflict do nothing",
            {"ticket": {('"org_id"', "=")}},
        ),
        (
            "with a as (select 1 as b) insert into node (id) select id from ticket"
            " where org_id = (select b from a)",
            {"ticket": {('"org_id"', "=")}},
        ),
        (
            "insert into node (id, name) overriding system value values"
            " (1, (select slug from org where plan = 'x')) on conflict (id) do update"
            " set name = (select mail from agent where org_id = 3) returning id",
            {"org": {('"plan"', "=")}, "agent": {('"org_id"', "=")}},
        ),
        ("insert into org (id, slug) values ($1, $2) on conflict (slug) do nothing", {}),
        ("values (1, 'a')", {}),
    ],
)
def test_every_table_of_a_statement_gets_its_terms(
    sql: str, expected: dict[str, set[tuple[str, str]]]
) -> None:
    found = {access.table: terms(access) for access in analysed(sql).accesses}
    assert found == expected


@pytest.mark.parametrize(
    ("sql", "target"),
    [
        ("update sales.orders set state = 'x'", "sales.orders"),
        ("delete from only ticket where id = 3", "ticket"),
        ("insert into public.org (id) values (1)", "org"),
        ("update sales.big set state = 'x' where id = 4", "sales.orders"),
        ("with a as (insert into node (id) values (1) returning id) select * from a", "node"),
        (
            "merge into ticket t using message m on t.id = m.ticket_id when matched then delete",
            "ticket",
        ),
        ("insert into elsewhere values (1)", "elsewhere"),
    ],
)
def test_a_write_names_the_table_that_it_changes(sql: str, target: str) -> None:
    assert analysed(sql).target == target


def test_a_write_that_does_not_parse_still_names_its_table() -> None:
    found = analyse(shape_of("update only sales.orders set (((state = 'x'"), CATALOG)
    assert found.problem is not None
    assert found.target == "sales.orders"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("opened", [("opened", False, "")]),
        ("opened desc, id", [("opened", True, ""), ("id", False, "")]),
        ("opened nulls first", [("opened", False, "FIRST")]),
        ("opened asc nulls last", [("opened", False, "")]),
        ("opened desc nulls last", [("opened", True, "LAST")]),
        ("opened desc nulls first", [("opened", True, "")]),
    ],
)
def test_the_place_of_nulls_is_kept_where_it_is_not_the_default(
    order: str, expected: list[tuple[str, bool, str]]
) -> None:
    access = access_to("ticket", f"select id from ticket order by {order} limit 3")
    assert [(k.column, k.descending, k.nulls) for k in access.order] == expected
    assert access.limited


def test_a_fetch_first_is_a_limit() -> None:
    sql = "select id from ticket order by opened fetch first 5 rows only"
    assert access_to("ticket", sql).limited


def test_distinct_on_is_a_grouping_with_an_order() -> None:
    sql = "select distinct on (org_id) org_id, id from ticket order by org_id, opened desc"
    access = access_to("ticket", sql)
    assert [k.column for k in access.grouping] == ["org_id"]
    assert [k.column for k in access.order] == ["org_id", "opened"]


def test_a_named_window_is_an_order() -> None:
    sql = "select rank() over w from ticket window w as (partition by org_id order by due desc)"
    access = access_to("ticket", sql)
    assert [(k.column, k.descending) for k in access.order] == [("org_id", False), ("due", True)]


def test_a_group_by_takes_a_name_for_the_column_of_the_table() -> None:
    sql = "select date_trunc('day', opened) as opened from ticket group by opened order by opened"
    access = access_to("ticket", sql)
    assert [k.key for k in access.grouping] == ['"opened"']
    assert [k.key for k in access.order] == ["date_trunc('day',opened)"]


def test_grouping_sets_are_no_order_of_one_index() -> None:
    sql = "select org_id, count(*) from ticket group by grouping sets ((org_id), (status))"
    assert access_to("ticket", sql).grouping == ()


def test_a_whole_row_as_a_value_reads_every_column() -> None:
    assert access_to("ticket", "select row_to_json(t) from ticket t").whole_rows


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("t.active", {"active"}),
        ("not t.active", {"not active"}),
        ("t.closed is null and t.status='new'", {"closed is null", "status='new'"}),
        ("t.status = any(array['a','b'])", {"status=any(array['a','b'])"}),
        ("t.status::text <> 'x'", {"status::text<>'x'"}),
        ("t.due < now()", set()),
        ("t.org_id = $1", set()),
        ("t.opened > current_date - 3", set()),
        ("t.requester = current_user", set()),
        ("t.subject % 'abc'", set()),
        ("t.words @@ to_tsquery('abc')", set()),
    ],
)
def test_constants_are_what_a_partial_index_may_hold(condition: str, expected: set[str]) -> None:
    access = access_to("ticket", f"select id from ticket t where {condition}", calls=10)
    assert set(access.constants) == expected


def test_the_schema_of_a_function_stays() -> None:
    sql = "select id from ticket t where public.plain(t.subject) = 'x'"
    assert terms(access_to("ticket", sql)) == {("public.plain(subject)", "=")}


def test_words_between_dollars_are_values_in_the_words_of_an_expression() -> None:
    sql = "select id from ticket where replace(subject, $q$ '; $q$, '') = 'x'"
    assert terms(access_to("ticket", sql)) == {("replace(subject,$q$ '; $q$,'')", "=")}


def test_a_shape_without_samples_is_read_from_its_template() -> None:
    shape = replace(shape_of("update ticket set status = $1 where id = $2"), samples=())
    found = analyse(shape, CATALOG)
    assert (found.problem, found.target) == (None, "ticket")


@pytest.mark.parametrize("number", QUERIES)
def test_every_query_of_tpc_h_is_analysed(number: int) -> None:
    found = analyse(shape_of(QUERIES[number]), catalog_of(SCHEMA))
    assert found.problem is None
    unrestricted = [a.table for a in found.accesses if not (a.terms or a.branches)]
    assert unrestricted == (["lineitem"] if number == 18 else [])  # one GROUP BY without a WHERE


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) filter (where active), percentile_cont(0.5) within group (order by id)"
        " from ticket",
        "select string_agg(mail, ',' order by id) from agent",
        "select * from ticket tablesample system (1)",
        "select * from rows from (generate_series(1, 2), unnest(array[1])) as r(a, b)",
        "select * from jsonb_to_record($1) as x(a int, b text)",
        "select * from generate_series(1, 3) g join ticket t on t.id = g",
        "select array(select id from org), row(1, 2), (select 1)",
        "select a.id from agent a cross join lateral unnest(array[1]) with ordinality as b(x, n)",
        "(select id from ticket order by 1 limit 3) union all (select id from agent) order by 1",
        "select id from ticket except select id from agent intersect select id from org",
        "select xmlelement(name foo), x'1f', b'101', U&'d\\0061t', E'it\\'s'",
        "select tags[1:2], tags[$1:$2] from ticket",
        "select * from ticket where (opened, due) overlaps ($1, $2)",
        "select sum(id) over (order by id rows between 1 preceding and current row) from ticket",
        "select * from ticket where words @@ websearch_to_tsquery($1) order by"
        " ts_rank(words, websearch_to_tsquery($1)) desc limit 10",
        "select subject <-> 'x' from ticket order by subject <-> 'x' limit 5",
        "select cidr '10.0.0.0/8' >>= inet $1, |/ 4, 5 <<= 6",
        "with recursive t(n) as (values (1) union all select n + 1 from t) search depth first by n"
        " set o select * from t",
    ],
)
def test_unusual_statements_are_analysed(sql: str) -> None:
    assert analyse(shape_of(sql), CATALOG).problem is None


@pytest.mark.parametrize("sql", ["select from where", "select * from ticket where ((("])
def test_what_does_not_parse_says_so(sql: str) -> None:
    assert analyse(shape_of(sql), CATALOG).problem is not None


def test_a_view_that_names_itself_ends() -> None:
    catalog = replace(
        CATALOG, views=(View(name="loop", schema="public", sql="select * from loop"),)
    )
    assert analyse(shape_of("select * from loop where a = 1"), catalog).accesses == ()


def test_two_hundred_demanding_shapes_take_seconds() -> None:
    shapes = [
        shape_of(
            f"select t.id, t.subject from ticket t join org o on o.id = t.org_id where"
            f" lower(t.requester) = 'x{i}' and date_trunc('day', t.opened) > '2026-01-01' and"
            f" coalesce(t.due, t.closed) is null and t.extra->>'a{i}' = 'b' order by opened",
            calls=20,
        )
        for i in range(200)
    ]
    started = time.process_time()
    for shape in shapes:
        analyse(shape, CATALOG)
    assert time.process_time() - started < 10.0  # 2 s when nothing else runs
