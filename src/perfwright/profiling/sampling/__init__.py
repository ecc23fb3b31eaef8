"""Sampling of the own process: who is running or standing still, a hundred times a second."""

from perfwright.profiling.sampling.sampler import Sampler, Tick

__all__ = ["Sampler", "Tick"]
