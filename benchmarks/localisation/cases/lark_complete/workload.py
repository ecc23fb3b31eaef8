"""What an editor for queries offers after each token."""

from __future__ import annotations

from lark import Lark

GRAMMAR = """
start: "select" columns "from" NAME where? order?
columns: column ("," column)*
column: sum ["as" NAME]
where: "where" test ("and" test)*
test: sum COMPARE sum
order: "order" "by" NAME ("," NAME)*
?sum: product (("+" | "-") product)*
?product: atom (("*" | "/") atom)*
?atom: NUMBER | NAME | "(" sum ")"
COMPARE: "=" | "<" | ">"
%import common.CNAME -> NAME
%import common.NUMBER
%import common.WS
%ignore WS
"""

PARSER = Lark(GRAMMAR, parser="lalr")


def query(columns: int) -> str:
    listed = ", ".join(f"(a{n} + {n} * b{n}) / c{n} as d{n}" for n in range(columns))
    tests = " and ".join(f"a{n} + {n} > b{n} * (c{n} - 1)" for n in range(columns))
    return f"select {listed} from orders where {tests} order by d1, d2"


def offers(text: str) -> list[list[str]]:
    state = PARSER.parse_interactive(text)
    offered = []
    for _ in state.iter_parse():
        offered.append(sorted(state.accepts()))
    return offered


def leaves(text: str) -> int:
    return sum(1 for _ in PARSER.parse(text).scan_values(lambda _: True))


def run() -> object:
    texts = [query(columns) for columns in (2, 4, 6, 8, 10, 12, 16)]
    return [offers(text) for text in texts], [leaves(text) for text in texts * 10]
