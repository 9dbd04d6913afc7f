"""Laws of devices: what is chosen exists, and seeding leaves no trace."""

import pytest
import torch
from torch import nn

from equipoise.devices import Device, choose_device, fast_bf16, reproducible
from equipoise.errors import InputError

HAS_ACCELERATOR = torch.cuda.is_available() or torch.backends.mps.is_available()


def test_the_cpu_is_always_there() -> None:
    """It can be named on every machine, and is chosen where there is nothing faster."""
    assert choose_device("cpu") == "cpu"
    assert (choose_device() == "cpu") != HAS_ACCELERATOR
    assert torch.zeros(1, device=choose_device()).device.type == Device(choose_device()).kind


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "CPU", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    """The message lists what this machine has."""
    with pytest.raises(InputError, match=r"auto, .*cpu"):
        choose_device(name)


def test_precision_is_that_of_products() -> None:
    """In bf16 a layer computes in bfloat16, in fp32 in float32; weights stay float32."""
    layer = nn.Linear(2, 2)
    for precision, dtype in ("bf16", torch.bfloat16), ("fp32", torch.float32):
        with Device("cpu", precision).autocast():  # type: ignore[arg-type]
            assert layer(torch.ones(1, 2)).dtype == dtype
        assert layer.weight.dtype == torch.float32


def test_a_device_tells_what_it_is() -> None:
    """The text of a CPU says how many threads it uses."""
    assert str(Device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"
    assert Device("cuda:1").kind == "cuda"


def test_fast_bf16_is_known_of_every_device() -> None:
    """It is a plain answer for the CPU, and no for devices that emulate it."""
    assert fast_bf16("cpu") in (True, False)
    assert fast_bf16("mps") is False


def test_the_same_seed_draws_the_same() -> None:
    """Inside, the global generator is the seed's, as `torch.manual_seed` would have it."""
    draws = []
    for seed in 3, 3, 4:
        with reproducible(seed):
            draws.append(torch.rand(5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(draws[0], torch.rand(5, generator=torch.Generator().manual_seed(3)))


def _fail_after_a_draw() -> None:
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)
    torch.rand(10)
    raise KeyError


def test_seeding_leaves_no_trace() -> None:
    """After it, even after an error, the global generator and cuDNN are as they were."""
    cudnn = torch.backends.cudnn
    before = torch.get_rng_state(), cudnn.deterministic, cudnn.benchmark
    with pytest.raises(KeyError), reproducible(1):
        _fail_after_a_draw()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (cudnn.deterministic, cudnn.benchmark) == before[1:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_seeded_and_restored_too() -> None:
    """Dropout on a GPU draws from its own generator."""
    before = torch.cuda.get_rng_state()
    draws = []
    for _ in range(2):
        with reproducible(3, "cuda"):
            draws.append(torch.rand(5, device="cuda"))
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(torch.cuda.get_rng_state(), before)
