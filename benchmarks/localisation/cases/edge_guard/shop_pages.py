"""The pages themselves."""

from __future__ import annotations

from middleware import Request


def price(number: int) -> str:
    return f"{number * 37 % 9000 / 100:.2f}"


def answer(request: Request) -> tuple[int, str]:
    parts = request.path.strip("/").split("/")
    if parts[0] == "articles":
        start = int(parts[1])
        rows = [f"<li>Article {each}: {price(each)}</li>" for each in range(start, start + 60)]
        return 200, "<ul>" + "".join(rows) + "</ul>"
    return 404, f"There is no {'/'.join(parts)}."
