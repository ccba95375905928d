from __future__ import annotations

import numpy as np
import pytest
import torch

from sdv2_live.gpu.staging import download, upload

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


def picture(seed: int, height: int = 270, width: int = 480) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width * 2), dtype=np.uint8)


@pytest.mark.parametrize("device", [CPU, pytest.param(CUDA, marks=pytest.mark.gpu)])
def test_what_goes_up_comes_down(device: torch.device) -> None:
    rows = picture(0)
    for part in (rows, rows[3:50, 8:100], rows[::-1]):
        there = upload(part, device)
        assert there.device.type == device.type
        (back,) = download(there[None])
        assert np.array_equal(back, part)


@pytest.mark.gpu
def test_many_frames_in_flight_do_not_touch_each_other() -> None:
    """The device is held up, so that no copy is done while the next frames are staged; each source is overwritten at once."""
    rows = np.empty((270, 960), np.uint8)
    torch.cuda._sleep(500_000_000)
    there = []
    for seed in range(64):
        rows[:] = picture(seed)
        there.append(upload(rows, CUDA))
    rows[:] = 0
    for seed, tensor in enumerate(there):
        assert np.array_equal(tensor.cpu().numpy(), picture(seed))


@pytest.mark.gpu
def test_a_picture_that_is_kept_stays_as_it_is() -> None:
    kept = {}
    for seed in range(40):
        pictures = download(torch.from_numpy(np.stack([picture(seed), picture(seed + 1000)])).to(CUDA))
        if seed % 10 == 0:
            kept[seed] = pictures[0][5:20]  # a view holds the memory too
    for seed, rows in kept.items():
        assert np.array_equal(rows, picture(seed)[5:20])


@pytest.mark.gpu
def test_buffers_are_used_again() -> None:
    addresses = set()
    for seed in range(40):
        (host,) = download(upload(picture(seed), CUDA)[None])
        addresses.add(host.ctypes.data)
        del host
    assert len(addresses) < 10


@pytest.mark.gpu
def test_bytes_are_handed_out_when_they_are_there() -> None:
    for seed in range(5):
        there = upload(picture(seed), CUDA)
        made = torch.zeros_like(there)
        torch.cuda._sleep(50_000_000)
        made.copy_(there)
        assert np.array_equal(download(made[None])[0], picture(seed))
