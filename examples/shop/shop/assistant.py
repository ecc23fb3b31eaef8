"""Answers to questions about a product, by a language model behind an OpenAI-compatible URL."""

from collections.abc import Sequence
from datetime import datetime

import httpx

from shop.database import Connection
from shop.settings import Settings

ATTEMPTS = 3
TIMEOUT_S = 30.0
PRESET_QUESTIONS = (
    "Is it suited as a gift?",
    "How do I clean it?",
    "How long does delivery take?",
)

Message = dict[str, str]


class AssistantUnavailableError(Exception):
    """Nobody can answer."""


class Assistant:
    """Puts questions to the model."""

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport

    async def answer(self, db: Connection, *, product: str, question: str, now: datetime) -> str:
        """Answer one question.

        Raises:
            AssistantUnavailableError: If no model is configured or it does not answer.
        """
        system = system_prompt(catalogue_lines(db), now=now)
        topic = await self._complete(
            [
                {"role": "system", "content": system},
                {
                    "role": "user",
                    "content": f"Is this about the product, delivery or returns? Answer with one"
                    f" word.\n\n{question}",
                },
            ]
        )
        return await self._complete(
            [
                {"role": "system", "content": system},
                {"role": "user", "content": f"Product: {product}\nTopic: {topic}\n\n{question}"},
            ]
        )

    async def answer_presets(
        self, db: Connection, *, product: str, now: datetime
    ) -> list[tuple[str, str]]:
        """Answer the questions that most visitors have."""
        answers: list[tuple[str, str]] = []
        for question in PRESET_QUESTIONS:
            text = await self.answer(db, product=product, question=question, now=now)
            answers.append((question, text))
        return answers

    async def _complete(self, messages: Sequence[Message]) -> str:
        """Return the model's reply, trying again when the server fails."""
        if self._settings.llm_base_url is None:
            raise AssistantUnavailableError("Set LLM_BASE_URL to an OpenAI-compatible endpoint.")
        status = 0
        for _ in range(ATTEMPTS):
            async with httpx.AsyncClient(transport=self._transport, timeout=TIMEOUT_S) as client:
                response = await client.post(
                    f"{self._settings.llm_base_url.rstrip('/')}/chat/completions",
                    headers={"Authorization": f"Bearer {self._settings.llm_api_key or 'none'}"},
                    json={"model": self._settings.llm_model, "messages": list(messages)},
                )
            status = response.status_code
            if response.is_success:
                return str(response.json()["choices"][0]["message"]["content"])
        raise AssistantUnavailableError(f"The model's server answered {status}.")


def system_prompt(catalogue: Sequence[str], *, now: datetime) -> str:
    """Return the instructions with everything that the model may need to know."""
    return "\n".join(
        (
            f"Current time: {now.isoformat(timespec='seconds')}",
            "You are the assistant of a small shop for household goods.",
            "Be friendly and brief. Recommend only what is in the catalogue below.",
            "Delivery takes two working days, four for parcels above five kilograms.",
            "Anything can be returned within thirty days.",
            "",
            "Catalogue:",
            *catalogue,
        )
    )


def catalogue_lines(db: Connection) -> list[str]:
    """Return name and price of everything that is for sale."""
    rows = db.rows("SELECT name, price_cents FROM products WHERE active = 1 ORDER BY name")
    return [f"- {name}: {cents / 100:.2f} EUR" for name, cents in rows]
