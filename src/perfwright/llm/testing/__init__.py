"""A simulated provider: the OpenAI and Anthropic wire, with limits, faults and honest counts."""

from perfwright.llm.testing.provider import SimulatedProvider
from perfwright.llm.testing.settings import ProviderSettings

__all__ = ["ProviderSettings", "SimulatedProvider"]
