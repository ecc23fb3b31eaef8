"""Which operations of a function need what others did before."""

from __future__ import annotations

import ast
from textwrap import dedent, indent

import pytest

from perfwright.profiling.diagnosis.dependence import needs
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource


def function(body: str, *, more: str = "") -> FunctionSource:
    text = "async def f(self, a, b):\n" + indent(dedent(body), "    ") + "\n" + dedent(more)
    module = ModuleSource.parse(text, file="app.py")
    assert module is not None
    return module.functions[0]


def last_needs_first(source: FunctionSource) -> bool:
    awaited = [n.value for n in source.nodes if isinstance(n, ast.Await)]
    awaited += [
        item.context_expr for n in source.nodes if isinstance(n, ast.AsyncWith) for item in n.items
    ]
    awaited.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    return needs(source, awaited[-1], earlier=awaited[0])


@pytest.mark.parametrize(
    "body",
    [
        "x = await one()\ny = await two(x)",
        "x = await one()\nhead = {'token': x.id}\nrequest = Request(head)\nawait two(request)",
        "x = await one()\nself.token = x\ny = await self.client.get(self.token)",
        "x = await one()\na.user = x['user']\nreturn await b(a)",
        "headers = {}\nx = await one()\nheaders['token'] = x\ny = await two(headers)",
        "x = await one()\na.sign_in(x)\ny = await a.get()",
        "if not await one():\n    return None\nreturn await two()",
        "x = await one()\nif x is None:\n    raise LookupError(a)\nreturn await two()",
        "x = await one()\nif x.stale:\n    x = await two()",
        "x = await one()\nassert x\ny = await two()",
        "x = await one()\ncheck_access(x, a)\ny = await two(b)",
        "return await one() or await two()",
        "x = await one()\nreturn (await two()) if x else None",
        "return await two(await one())",
        "try:\n    x = await one()\nexcept OSError:\n    x = await two()",
        "x = await one()\nfor row in x:\n    await two(a)",
        "async with one() as x:\n    y = await two()",
        "x = await one()\nwhile x:\n    await two()\n    break",
        "x = await one()\nmatch x:\n    case 1:\n        y = await two()",
        "await a.begin()\nawait a.execute(1)",
        "x = await self.one()\nawait self.two(b)",
        "await one(a)\ny = await two(a)",
        "x = await self.reader.readexactly(4)\ny = await self.reader.readexactly(9)",
        "x = await self.conn.fetch('a')\ny = await self.conn.fetch('b')",
        "items = []\nitems.append(await one())\ny = await two(items)",
        "making = connect(lambda: a)\nx = await wait_for(making)\ny = await a.hello()",
        "x = await pool.prepare(a)\ny = await a.rows()",
        "x = await api.create(a)\ny = await api.listing(b)",
    ],
)
def test_what_needs_another(body: str) -> None:
    assert last_needs_first(function(body))


@pytest.mark.parametrize(
    "body",
    [
        "x = await one(a)\ny = await two(a)\nreturn x, y",
        "x = await self.one()\ny = await self.two()\nreturn x, y",
        "x = await one()\nprint(x)\ny = await two()\nreturn y",
        "x = await one()\nlog.info('%s', x)\ny = await two()\nreturn y",
        "x = await one()\nif a:\n    return None\ny = await two()\nreturn y",
        "x = await one()\ntotal = sum(x)\ny = await two(a)\nreturn y < total",
        "try:\n    x = await one()\nexcept OSError:\n    x = None\ny = await two()\nreturn y",
        "x = (await one(), await two())\nreturn x",
        "async with one() as x:\n    pass\nasync with two() as y:\n    pass",
        "await self.cache.warm()\nawait self.mailer.connect()",
        "x = await api.stock.create(a)\ny = await api.prices.total(b)\nreturn x, y",
        "x = await self.http.get(a)\ny = await self.http.get(b)\nreturn x, y",
    ],
)
def test_what_needs_nothing_of_another(body: str) -> None:
    assert not last_needs_first(function(body))


METHODS = """
    class Client:
        async def load(self):
            x = await self.token_of()
            y = await self.rows()
            return x, y
        async def token_of(self):
            self.token = await ask()
            return True
        async def rows(self):
            return await get(self.%s)
"""


@pytest.mark.parametrize(("name", "needed"), [("protocol", True), ("http", False)])
def test_two_methods_that_use_one_connection_go_one_after_the_other(
    name: str, needed: bool
) -> None:
    text = f"""
        class Mail:
            async def send(self, message):
                x = await self.sender(message)
                y = await self.body(message)
                return x, y
            async def sender(self, message):
                return await self.ask(message)
            async def body(self, message):
                return await self.ask(message)
            async def ask(self, message):
                return await self.{name}.command(message)
    """
    module = ModuleSource.parse(dedent(text), file="app.py")
    assert module is not None
    assert last_needs_first(module.functions[0]) is needed


@pytest.mark.parametrize(("read", "needed"), [("token", True), ("path", False)])
def test_what_a_method_leaves_in_its_object_is_followed(read: str, needed: bool) -> None:
    module = ModuleSource.parse(dedent(METHODS % read), file="app.py")
    assert module is not None
    assert last_needs_first(module.functions[0]) is needed
