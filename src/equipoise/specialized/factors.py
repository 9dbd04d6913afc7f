"""Factors on the rows of a head that stays: all that learnable weight scaling trains."""

import torch
from torch import Tensor, nn
from torch.func import functional_call


class RowFactors(nn.Module):
    """A factor for each row of a linear head, and the head's weights as they were before.

    Nothing of it is needed once the factors are folded into the head.

    Parameters
    ----------
    head : Module
        Linear in the features, with a ``weight`` of a row for each logit and perhaps a ``bias``;
        left as it is.

    Examples
    --------
    >>> head = nn.Linear(2, 2)
    >>> factors = RowFactors(head)
    >>> _ = factors.values.data.copy_(torch.tensor([1.0, 3.0]))
    >>> features = torch.randn(4, 2)
    >>> expected = head(features) * torch.tensor([1.0, 3.0])
    >>> torch.allclose(factors(head, features), expected, atol=1e-5)
    True
    >>> factors.fold(head)
    >>> torch.allclose(head(features), expected, atol=1e-5)
    True
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        weights = dict(head.named_parameters())
        rows = weights["weight"]
        self.values = nn.Parameter(torch.ones(len(rows), dtype=rows.dtype, device=rows.device))
        # Parameters without gradient, not buffers: processes would average those, and round them.
        kept = {name: weight.detach().clone() for name, weight in weights.items()}
        self.before = nn.ParameterDict(
            {name: nn.Parameter(weight, requires_grad=False) for name, weight in kept.items()}
        )

    def scaled(self) -> dict[str, Tensor]:
        """Return the weights of the head by name, each row times its factor."""
        return {
            name: weight * self.values.view(-1, *[1] * (weight.ndim - 1))
            for name, weight in self.before.items()
        }

    def forward(self, head: nn.Module, features: Tensor) -> Tensor:
        """Return the logits that the scaled head makes of features."""
        return functional_call(head, self.scaled(), (features,))

    @torch.no_grad()
    def fold(self, head: nn.Module) -> None:
        """Write the scaled weights into the head, in place."""
        for name, weight in self.scaled().items():
            head.get_parameter(name).copy_(weight)
