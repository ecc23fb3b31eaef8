"""How requests become bytes and bytes become answers: formats, streams, ways to a provider."""

from perfwright.llm.wire.addresses import Form
from perfwright.llm.wire.bodies import is_usage_only, wants_usage
from perfwright.llm.wire.http import HttpTransport
from perfwright.llm.wire.litellm_client import LiteLLMTransport
from perfwright.llm.wire.openai_client import OpenAIClientTransport
from perfwright.llm.wire.pieces import assemble, piece_sizes, split
from perfwright.llm.wire.rate_headers import RateFacts, parse_rate_headers, retry_after_s
from perfwright.llm.wire.sse import Event, EventParser
from perfwright.llm.wire.streams import ReadyStream
from perfwright.llm.wire.usage import usage_of

__all__ = [
    "Event",
    "EventParser",
    "Form",
    "HttpTransport",
    "LiteLLMTransport",
    "OpenAIClientTransport",
    "RateFacts",
    "ReadyStream",
    "assemble",
    "is_usage_only",
    "parse_rate_headers",
    "piece_sizes",
    "retry_after_s",
    "split",
    "usage_of",
    "wants_usage",
]
