"""Many calls at once: bulk jobs that survive a crash, batches at half price, embeddings."""

from perfwright.llm.bulk.embedding import EmbeddingQueue
from perfwright.llm.bulk.progress import Progress
from perfwright.llm.bulk.running import finished_of, run_batch, stream_batch

__all__ = ["EmbeddingQueue", "Progress", "finished_of", "run_batch", "stream_batch"]
