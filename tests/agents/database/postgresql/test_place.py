"""Where copies are made, and how they sort texts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_target
from perfwright.agents.database.postgresql.probes.copies import BASE
from perfwright.agents.database.postgresql.probes.place import Place, find_place
from perfwright.core import parse_target
from tests.postgresql import connected

SORTED = (
    """select string_agg(upper(w), '' order by w) from unnest('{Z,a,\u00e4,b,G,g}'::text[]) w"""
)


@contextmanager
def place_of(url: str) -> Iterator[Place]:
    target = parse_target(url)
    with open_target(target) as reader:
        catalog = read_catalog(reader)
        found = find_place(target, reader, catalog=catalog, scratch_url=None, owner=os.getpid())
    if isinstance(found, str):
        pytest.skip(found)
    try:
        yield found
    finally:
        found.close()


def options_of(server: PrivateServer, options: str) -> str:
    """Make a database with an order of its own, and look which options a copy gets."""
    with connected(server.url()) as admin:
        admin.execute("drop database if exists ordered")
        try:
            admin.execute(f"create database ordered template template0 {options}".encode())
        except psycopg.Error as error:
            pytest.skip(f"this server cannot sort so: {error}")
        with place_of(server.url("ordered")) as place:
            place.copies.create(BASE, locale=place.locale)
            with connected(place.copies.url(BASE)) as copy, connected(server.url("ordered")) as own:
                assert copy.execute(SORTED).fetchone() == own.execute(SORTED).fetchone()
        admin.execute("drop database ordered with (force)")
        return place.locale


def test_a_copy_sorts_as_the_system_does(server: PrivateServer) -> None:
    assert "LC_COLLATE 'C.UTF-8'" in options_of(server, "locale 'C.UTF-8'")


def test_a_copy_sorts_as_icu_does(server: PrivateServer) -> None:
    options = "locale_provider icu icu_locale 'de-DE' locale 'C'"
    assert "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'" in options_of(server, options)


def test_a_copy_keeps_rules_of_its_own(server: PrivateServer) -> None:
    options = "locale_provider icu icu_locale 'de-DE' icu_rules '&a < g' locale 'C'"
    assert "ICU_RULES '&a < g'" in options_of(server, options)


def test_a_copy_sorts_as_postgresql_itself_does(server: PrivateServer) -> None:
    options = "locale_provider builtin builtin_locale 'C.UTF-8'"
    assert "BUILTIN_LOCALE 'C.UTF-8'" in options_of(server, options)


def test_the_encoding_is_kept(server: PrivateServer) -> None:
    assert "ENCODING 'LATIN1'" in options_of(server, "locale 'C' encoding 'LATIN1'")


def test_a_locale_that_this_machine_does_not_have_is_replaced_and_named(
    server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = "ENCODING 'UTF8' LC_COLLATE 'tlh_KX.UTF-8' LC_CTYPE 'tlh_KX.UTF-8'"
    monkeypatch.setattr(f"{find_place.__module__}._locale", lambda _reader: wanted)
    with place_of(server.url()) as place:
        assert place.locale == "ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
        assert "sorts texts by their bytes" in place.described
        assert "tlh_KX.UTF-8" in place.described


def test_the_language_of_messages_is_not_taken_over(server: PrivateServer) -> None:
    with connected(server.url()) as admin:
        admin.execute("create database spoken")
        admin.execute("alter database spoken set lc_messages = 'C.UTF-8'")
    with place_of(server.url("spoken")) as place, connected(place.copies.server_url) as copy:
        assert copy.execute("show lc_messages").fetchone() == ("C",)
