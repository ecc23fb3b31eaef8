"""What a call would be answered, with the tokens that it would take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from perfwright.llm.replies import Usage
from perfwright.llm.requests import Api
from perfwright.llm.testing import answers, prompts
from perfwright.llm.testing.answers import Answer
from perfwright.llm.testing.settings import ProviderSettings

_IDS = {Api.CHAT: "chatcmpl", Api.RESPONSES: "resp", Api.MESSAGES: "msg", Api.EMBEDDINGS: "emb"}


class Model:
    """Answers prompts, and remembers their beginnings as a provider's prompt cache does."""

    def __init__(self, *, created: int) -> None:
        self._created = created
        self._prefixes = prompts.PrefixCache()
        self._serial = 0

    def answer(
        self, api: Api, body: dict[str, Any], *, text: str, settings: ProviderSettings, now_s: float
    ) -> Answer:
        """Return the answer to a prompt; `text` is all of it."""
        self._serial += 1
        digest = answers.digest_of(text, seed=settings.seed)
        answer = Answer(
            id=f"{_IDS[api]}-{self._serial:x}",
            model=body["model"],
            created=self._created,
            digest=digest,
            usage=Usage(prompt_tokens=prompts.tokens_of(text)),
        )
        if api is Api.EMBEDDINGS:
            return replace(answer, embedded=answers.embedded_of(body, settings=settings))
        content = answers.content_of(body, digest=digest, settings=settings)
        choices = int(body.get("n") or 1) if api is Api.CHAT else 1
        usage, blocks = self._with_cache(api, body, text=text, settings=settings, now_s=now_s)
        usage = replace(
            usage,
            completion_tokens=(len(content.tokens) + settings.reasoning_tokens) * choices,
            reasoning_tokens=settings.reasoning_tokens * choices,
        )
        return replace(answer, content=content, choices=choices, usage=usage, blocks=blocks)

    def learn(self, answer: Answer, *, until_s: float) -> None:
        """Remember the beginnings of a prompt that is being answered."""
        self._prefixes.remember(answer.blocks, until_s=until_s)

    def _with_cache(
        self, api: Api, body: dict[str, Any], *, text: str, settings: ProviderSettings, now_s: float
    ) -> tuple[Usage, list[int]]:
        """Match a prompt with what was seen; Anthropic's form caches only what is marked."""
        usage = Usage(prompt_tokens=prompts.tokens_of(text))
        if not settings.prompt_cache or usage.prompt_tokens < settings.prompt_cache_min_tokens:
            return usage, []
        if api is Api.MESSAGES:
            text = text[: prompts.cacheable_characters(body)]
        size = settings.prompt_cache_block_tokens
        blocks = prompts.blocks_of(body["model"], text, block_tokens=size)
        known = self._prefixes.match(blocks, now_s=now_s)
        written = len(blocks) - known if api is Api.MESSAGES else 0
        known_tokens, written_tokens = known * size, written * size
        return replace(usage, cached_tokens=known_tokens, cache_write_tokens=written_tokens), blocks
