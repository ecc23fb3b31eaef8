"""The shop's settings, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this instance runs; each field is `SHOP_` plus its name, except for the LLM's own."""

    db: Path = Path("data/shop.db")
    media: Path = Path("data/media")
    """Generated pictures and the style framework; made on start if they are missing."""
    now: datetime | None = None
    """A fixed moment instead of the real clock, so that two instances give the same answers."""
    pool_size: int = 2
    """Connections for queries that run in threads."""
    card_cache_size: int = 32
    """Product cards kept in memory."""
    template_cache_size: int = 8
    """Compiled templates kept in memory."""
    llm_base_url: str | None = None
    llm_api_key: str | None = None
    llm_model: str = "gpt-5"

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Raises:
            ValueError: If a number or the moment cannot be read; the message names the value.
        """
        now = environment.get("SHOP_NOW")
        return cls(
            db=Path(environment.get("SHOP_DB", "data/shop.db")),
            media=Path(environment.get("SHOP_MEDIA", "data/media")),
            now=datetime.fromisoformat(now) if now else None,
            pool_size=int(environment.get("SHOP_POOL_SIZE", "2")),
            card_cache_size=int(environment.get("SHOP_CARD_CACHE_SIZE", "32")),
            template_cache_size=int(environment.get("SHOP_TEMPLATE_CACHE_SIZE", "8")),
            llm_base_url=environment.get("LLM_BASE_URL") or None,
            llm_api_key=environment.get("LLM_API_KEY") or None,
            llm_model=environment.get("LLM_MODEL", "gpt-5"),
        )
