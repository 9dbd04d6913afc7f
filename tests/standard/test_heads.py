"""Heads."""

import torch

from equipoise.spec import resolve
from equipoise.standard.heads import HEADS


def test_linear_logits_are_the_product_and_the_bias() -> None:
    """Each logit is the features' product with a row of weights, plus a bias."""
    head = resolve("Linear", HEADS, "head").build(3, 4)
    weight, bias = head.parameters()
    features = torch.randn(5, 3)
    expected = torch.stack([features @ row for row in weight], dim=1) + bias
    assert weight.shape == (4, 3)
    torch.testing.assert_close(head(features), expected)
