"""Backbones: networks from images or table rows to features."""

from typing import Any

from equipoise.standard.backbones.base import Backbone as Backbone
from equipoise.standard.backbones.base import Extractor as Extractor
from equipoise.standard.backbones.base import ImageInput as ImageInput
from equipoise.standard.backbones.base import InputFormat as InputFormat
from equipoise.standard.backbones.base import Standardise as Standardise
from equipoise.standard.backbones.base import TableInput as TableInput
from equipoise.standard.backbones.ensembles import TabM as TabM
from equipoise.standard.backbones.pretrained import Timm as Timm
from equipoise.standard.backbones.residual import ResNet as ResNet
from equipoise.standard.backbones.residual import ResNet18 as ResNet18
from equipoise.standard.backbones.residual import WideResNet as WideResNet
from equipoise.standard.backbones.tables import MLP as MLP
from equipoise.standard.backbones.tables import TabularResNet as TabularResNet

BACKBONES: dict[str, type[Backbone[Any]]] = {
    "ResNet": ResNet,
    "ResNet18": ResNet18,
    "WideResNet": WideResNet,
    "Timm": Timm,
    "MLP": MLP,
    "TabularResNet": TabularResNet,
    "TabM": TabM,
}
"""Backbones by name, for images and then for tables."""
