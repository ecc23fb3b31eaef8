"""Plans the trials of an experiment from one configuration."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf


def settings(groups: int) -> Any:
    layers = {f"layer{n}": {"size": 2**n, "drop": {"rate": 0.1 * n}} for n in range(6)}
    models = {
        f"model{n}": {"net": {"encoder": {"blocks": layers}}, "seed": n} for n in range(groups)
    }
    config = OmegaConf.create({"experiment": {"models": models}, "limits": {"trials": 4}})
    OmegaConf.set_readonly(config, True)
    return config


def cost(model: Any, trial: int) -> float:
    blocks = model.net.encoder.blocks
    total = 0.0
    for name in blocks:
        block = blocks[name]
        total += block.size * (1 - block.drop.rate) * (trial + model.seed)
    return total


def run() -> object:
    config = settings(30)
    models = config.experiment.models
    return [round(sum(cost(models[name], trial) for name in models), 3) for trial in range(45)]
