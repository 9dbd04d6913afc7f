"""EfficientNet-Lite0, trained on ImageNet-1k, under timm's names of its tensors."""

import io
import re
from collections.abc import Mapping

import timm
import torch
from integrity import expect
from outputs import Converted
from safetensors.torch import save

MODEL = "tf_efficientnet_lite0"
"""The matching architecture in timm; `efficientnet_lite0` pads differently and is wrong here."""

STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks per stage; the checkpoint numbers them in one go
BLOCKS = tuple((stage, block) for stage, n in enumerate(STAGES) for block in range(n))
TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# Logits 0, 100, ..., 900 of the checkpoint's own architecture for `_probe`.
LOGITS = (
    *(-1.2515, -0.36342, 0.23981, 0.06177, -0.82399),
    *(-1.31717, 2.25133, 2.51048, -0.97751, -0.26788),
)


def convert_efficientnet_lite0(data: Mapping[str, bytes]) -> Converted:
    """Rename the tensors, and check that timm's network gives the original logits."""
    (payload,) = data.values()
    checkpoint = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    state = {_timm_name(key): tensor.contiguous() for key, tensor in checkpoint.items()}
    expect(len(state) == len(checkpoint), "two tensors got the same name.")
    model = timm.create_model(MODEL, num_classes=1000).eval()
    model.load_state_dict(state, strict=True)
    with torch.inference_mode():
        logits = model(_probe())[0, ::100]
    gap = float((logits - torch.tensor(LOGITS)).abs().max())
    expect(gap < 1e-3, f"timm's {MODEL} is off the original network by {gap:.4f}.")
    size = sum(parameter.numel() for parameter in model.parameters())
    return Converted(
        files={"efficientnet_lite0.safetensors": save(state, metadata={"format": "pt"})},
        parts={name: tensor.numpy() for name, tensor in state.items()},
        counts={},
        note=f"{len(state)} tensors, {size} parameters, 1000 classes",
    )


def _timm_name(key: str) -> str:
    inner = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if inner is None:
        module, tensor = key.split(".")
        return f"{TOP[module]}.{tensor}"
    stage, block = BLOCKS[int(inner[1])]
    names = SEPARABLE if stage == 0 else INVERTED
    return f"blocks.{stage}.{block}.{names[inner[2]]}.{inner[3]}"


def _probe() -> torch.Tensor:
    """Return a fixed input of 224 x 224 pixels with values from -1 to 1."""
    ramp = torch.arange(3 * 224 * 224, dtype=torch.float64) * 0.6180339887498949
    return (ramp % 1 * 2 - 1).float().reshape(1, 3, 224, 224)
