"""Many calls at once: bulk jobs that survive a crash, batches at half price, embeddings."""

from perfwright.llm.bulk.deferral import Deferral
from perfwright.llm.bulk.deferred import DeferredBatch
from perfwright.llm.bulk.embedding import EmbeddingQueue
from perfwright.llm.bulk.progress import Progress
from perfwright.llm.bulk.running import finished_of, run_batch, stream_batch

__all__ = [
    "Deferral",
    "DeferredBatch",
    "EmbeddingQueue",
    "Progress",
    "finished_of",
    "run_batch",
    "stream_batch",
]
