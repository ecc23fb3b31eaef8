"""The queries of a dashboard are checked against the schema before they are stored."""

from __future__ import annotations

from graphql import build_schema, parse, print_ast, validate

SCHEMA = build_schema("""
type Money { amount: Float! currency: String! }
type Point { at: String! value(unit: String): Money }
type Shop { id: ID! name: String! region: Region sales(from: Int, to: Int): [Point!]! }
type Region { id: ID! name: String! parent: Region shops(first: Int): [Shop!]! }
type Query { region(id: ID!): Region shop(id: ID!): Shop }
""")


def part(depth: int, number: int) -> str:
    if not depth:
        return f'id name sales(from: {number}, to: 9) {{ at value(unit: "EUR") {{ amount }} }}'
    return f"id name s{depth}: shops(first: {number}) {{ id name region {{ parent {{ id name {inner(depth - 1, number)} }} }} }}"


def inner(depth: int, number: int) -> str:
    if not depth:
        return f"shops {{ {part(0, number)} }}"
    return part(depth, number)


def dashboard(panels: int) -> str:
    listed = "\n".join(
        f'p{number}: region(id: "{number}") {{ {inner(number % 7, number)} }}'
        for number in range(panels)
    )
    return f"query Board {{ {listed} }}"


def check(panels: int) -> tuple[list[str], int]:
    document = parse(dashboard(panels))
    return [error.message for error in validate(SCHEMA, document)], print_ast(document).count("{")


def run() -> object:
    return [check(panels) for panels in range(5, 42, 4)]
