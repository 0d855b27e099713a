"""Merges a LoRA adapter into the weights below it, leaving the model in training as it is."""

from __future__ import annotations

from typing import Any


def merged_state(model: Any) -> dict[str, Any]:
    """The state dict of a peft model's base, under its own names, with W + ΔW in adapted layers.

    ΔW = B·A · alpha / rank (Hu et al. 2021, equation 3). peft's own merge changes the weights in
    place, and undoing it leaves rounding errors in the run.
    """
    import torch
    from peft.tuners.lora import LoraLayer

    base = model.get_base_model()
    state = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in base.state_dict().items()
        if ".lora_" not in name
    }
    with torch.no_grad():
        for name, module in base.named_modules():
            if isinstance(module, LoraLayer):
                weight = module.get_base_layer().weight
                delta = module.get_delta_weight(model.active_adapter)
                state[f"{name}.weight"] = (weight.float() + delta.float()).to(weight.dtype)
    return state
