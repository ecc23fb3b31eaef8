"""Batches: many callers, one call."""

from perfwright.batching.decorator import BatchedFunction, batched
from perfwright.batching.processor import BatchProcessor
from perfwright.batching.sizing import SizeController
from perfwright.batching.waiting import Priority

__all__ = ["BatchProcessor", "BatchedFunction", "Priority", "SizeController", "batched"]
