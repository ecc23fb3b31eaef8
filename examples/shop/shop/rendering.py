"""Pages from templates."""

import hashlib
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse

PACKAGE = Path(__file__).parent
STATIC = PACKAGE / "static"


def money(cents: int) -> str:
    """Write a price."""
    return f"€ {cents // 100:,}.{cents % 100:02}"


def day(value: str | date) -> str:
    """Write the day of a date or of a stored timestamp."""
    return date.fromisoformat(str(value)[:10]).strftime("%d %b %Y")


class Renderer:
    """Fills templates; every link to an asset carries its fingerprint, so that updates arrive."""

    def __init__(self, *, media: Path, cache_size: int) -> None:
        self._folders = {"static": STATIC, "media": media}
        self._environment = Environment(
            loader=FileSystemLoader(PACKAGE / "templates"), autoescape=True, cache_size=cache_size
        )
        self._environment.filters.update(money=money, day=day)
        self._environment.globals.update(asset=self.asset)

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """Fill a template."""
        return HTMLResponse(self._environment.get_template(template).render(values), status)

    def asset(self, path: str) -> str:
        """Return the link to a file such as `static/css/shop.css`."""
        folder, _, name = path.partition("/")
        file = self._folders[folder] / name
        if not file.is_file():
            return f"/{path}"
        fingerprint = hashlib.sha256(file.read_bytes()).hexdigest()[:10]
        return f"/{path}?v={fingerprint}"
