"""Downloads from a server on loopback: whole, cut, wrong, refused, gone."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from support.hub_server import HubServer
from support.systems import needs_full_disk

from sdv2_live.config.schema_files import WeightsConfig
from sdv2_live.errors import WeightsError
from sdv2_live.weights import remote
from sdv2_live.weights.catalog import Hub, Web, WeightFile
from sdv2_live.weights.download import PARTS, Downloader
from sdv2_live.weights.local import Folder, State

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = WeightFile("big/model.bin", "dit", "x", (Hub("maker/models", "big/model.bin"),), len(CONTENT), SHA256)
UNKNOWN = WeightFile("big/model.bin", "dit", "x", FILE.origins)  # neither size nor sum recorded
Usage = namedtuple("Usage", "total used free")


STEP = 65536  # bytes written at once


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes by default: too many for small files."""
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", STEP)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer({("maker/models", "big/model.bin"): CONTENT}) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "weights")


def settings(hub: HubServer, **keys: object) -> WeightsConfig:
    return WeightsConfig(endpoint=hub.url, **keys)  # type: ignore[arg-type]


def left(folder: Folder) -> list[Path]:
    return list((folder.path / PARTS).glob("*"))


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_a_fresh_download_is_checked_and_put_in_its_place(hub: HubServer, folder: Folder, file: WeightFile) -> None:
    seen: list[tuple[str, int]] = []
    report = lambda what, f, done, total: seen.append((what, done))  # noqa: E731
    assert Downloader(folder, settings(hub), report).download([file]) == [file]
    assert folder.at(file).read_bytes() == CONTENT
    assert folder.state(file) is State.VERIFIED
    assert not (folder.path / PARTS).exists()
    assert ("fetching", len(CONTENT)) in seen
    assert ("checking", len(CONTENT)) in seen


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_a_file_that_is_there_costs_no_request(hub: HubServer, folder: Folder, file: WeightFile) -> None:
    folder.at(file).parent.mkdir(parents=True)
    folder.at(file).write_bytes(CONTENT)
    assert Downloader(folder, settings(hub)).download([file]) == []
    assert hub.requests == []


def test_a_transfer_that_was_cut_goes_on_where_it_stopped(hub: HubServer, folder: Folder) -> None:
    hub.cut_after, hub.broken = 4 * STEP + 99, True
    with pytest.raises(WeightsError, match=r"big/model\.bin cannot be fetched: maker/models.* answers with error 503"):
        Downloader(folder, settings(hub)).download([FILE])
    (part,) = left(folder)
    assert part.stat().st_size == 4 * STEP
    assert not folder.at(FILE).exists()
    hub.broken = False
    Downloader(folder, settings(hub)).download([FILE])
    assert hub.gets()[-1][1] == f"bytes={4 * STEP}-"
    assert folder.at(FILE).read_bytes() == CONTENT


def test_a_connection_that_breaks_once_is_taken_up_again_at_once(hub: HubServer, folder: Folder) -> None:
    hub.cut_after = 9 * STEP
    Downloader(folder, settings(hub)).download([FILE])
    assert [span for _, span in hub.gets()] == [None, f"bytes={9 * STEP}-"]
    assert folder.at(FILE).read_bytes() == CONTENT


def test_a_server_without_ranges_gives_the_file_from_its_beginning(hub: HubServer, folder: Folder) -> None:
    hub.cut_after, hub.ranges = 9 * STEP, False
    Downloader(folder, settings(hub)).download([FILE])
    assert folder.at(FILE).read_bytes() == CONTENT


def test_wrong_bytes_are_removed_and_told(hub: HubServer, folder: Folder) -> None:
    hub.stored[SHA256] = b"\0" * len(CONTENT)
    with pytest.raises(WeightsError, match=r"gave a file with SHA-256 \w{16}\.\.\., not " + SHA256[:16]):
        Downloader(folder, settings(hub)).download([FILE])
    assert left(folder) == []
    assert not folder.at(FILE).exists()


def test_the_servers_own_sum_is_taken_where_none_is_recorded(hub: HubServer, folder: Folder) -> None:
    hub.stored[SHA256] = b"\0" * len(CONTENT)
    with pytest.raises(WeightsError, match="gave a file with SHA-256"):
        Downloader(folder, settings(hub)).download([UNKNOWN])


@pytest.mark.parametrize(("key", "said"), [("size", "has another file of that name .*bytes"), ("sha256", "SHA-256")])
def test_a_file_that_its_publisher_has_replaced_is_told_before_it_is_fetched(
    hub: HubServer, folder: Folder, key: str, said: str
) -> None:
    other = CONTENT[:-1] if key == "size" else bytes(len(CONTENT))
    hub.files[("maker/models", "big/model.bin")] = other
    with pytest.raises(WeightsError, match=said):
        Downloader(folder, settings(hub)).download([FILE])
    assert hub.gets() == []


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, r"refuses access \(401\).*hf auth login"),
        (403, {"X-Error-Code": "GatedRepo"}, r"is gated.*accept its terms at https://huggingface\.co/maker/models"),
        (403, {}, r"refuses access \(403\)"),
        (404, {"X-Error-Code": "EntryNotFound"}, r"has no such file \(404\).*weights\.mirror_repos"),
        (404, {}, r"has no such file \(404\)"),
        (500, {}, r"answers with error 500\. Remedy: try again later"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_remedy(
    hub: HubServer, folder: Folder, status: int, headers: dict[str, str], said: str
) -> None:
    hub.errors["maker/models"] = status, headers
    with pytest.raises(WeightsError, match=said) as caught:
        Downloader(folder, settings(hub)).download([FILE])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_server_that_is_gone(hub: HubServer, folder: Folder) -> None:
    config = settings(hub)
    hub.stop()
    with pytest.raises(WeightsError, match=r"cannot be reached.*check the network.*weights\.offline_dir"):
        Downloader(folder, config).download([FILE])


def test_a_full_disk_is_told_before_anything_is_fetched(hub: HubServer, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 9 * 10**5, 10**5))
    with pytest.raises(WeightsError, match=r"0\.00 GB are to be fetched.*make 0\.00 GB of room or set model\.weights_dir"):
        Downloader(folder, settings(hub)).download([FILE])
    assert hub.gets() == []


def test_what_lies_there_already_is_no_space_to_be_found(hub: HubServer, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cut_after, hub.broken = 15 * STEP, True
    with pytest.raises(WeightsError, match="503"):
        Downloader(folder, settings(hub)).download([FILE])
    hub.broken = False
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 9 * 10**5, 10**5))
    Downloader(folder, settings(hub)).download([FILE])
    assert folder.at(FILE).read_bytes() == CONTENT


@needs_full_disk
def test_a_disk_that_fills_up_underway(hub: HubServer, folder: Folder) -> None:
    hub.cut_after, hub.broken = 0, True
    with pytest.raises(WeightsError, match="503"):
        Downloader(folder, settings(hub)).download([FILE])
    hub.broken = False
    (part,) = left(folder)
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"cannot be written.*make room") as caught:
        Downloader(folder, settings(hub)).download([FILE])
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_the_next_origin_is_asked_when_the_first_has_it_not(hub: HubServer, folder: Folder) -> None:
    both = WeightFile(FILE.name, "dit", "x", (Hub("gone/models", FILE.name), *FILE.origins), FILE.size, FILE.sha256)
    Downloader(folder, settings(hub)).download([both])
    assert folder.at(FILE).read_bytes() == CONTENT


def test_the_next_origin_goes_on_where_the_first_broke_off(hub: HubServer, folder: Folder) -> None:
    with HubServer(dict(hub.files)) as second:
        url = f"{second.url}/store/{SHA256}"
        two = WeightFile(FILE.name, "dit", "x", (*FILE.origins, Web(url)), FILE.size, FILE.sha256)
        hub.cut_after, hub.broken = 4 * STEP + 99, True
        Downloader(folder, settings(hub)).download([two])
        assert second.gets() == [(f"/store/{SHA256}", f"bytes={4 * STEP}-")]
    assert folder.at(FILE).read_bytes() == CONTENT


def test_a_configured_copy_is_asked_first(hub: HubServer, folder: Folder) -> None:
    hub.files[("studio/copy", FILE.name)] = CONTENT
    Downloader(folder, settings(hub, mirror_repos=["maker/models=studio/copy"])).download([FILE])
    assert {path for _, path, _ in hub.requests if "/resolve/" in path} == {f"/studio/copy/resolve/main/{FILE.name}"}


def test_an_offline_folder_needs_no_server(hub: HubServer, folder: Folder, tmp_path: Path) -> None:
    copy = tmp_path / "stick" / FILE.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT)
    Downloader(folder, settings(hub, offline_dir=tmp_path / "stick")).download([FILE])
    assert folder.at(FILE).read_bytes() == CONTENT
    assert hub.requests == []


def test_a_damaged_copy_in_the_offline_folder_is_refused(hub: HubServer, folder: Folder, tmp_path: Path) -> None:
    copy = tmp_path / "stick" / FILE.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(WeightsError, match=r"stick.big.model\.bin: gave a file with SHA-256.*copy it anew"):
        Downloader(folder, settings(hub, offline_dir=tmp_path / "stick")).download([FILE])
    assert not folder.at(FILE).exists()


@pytest.mark.parametrize("content", [CONTENT[:-5], bytes(len(CONTENT))])
def test_a_damaged_file_is_fetched_again(hub: HubServer, folder: Folder, content: bytes) -> None:
    folder.at(FILE).parent.mkdir(parents=True)
    folder.at(FILE).write_bytes(content)
    Downloader(folder, settings(hub)).download([FILE])
    assert folder.at(FILE).read_bytes() == CONTENT


@pytest.mark.parametrize("named_by", ["weights.endpoint", "HF_ENDPOINT", "an address that begins as the Hub's"])
def test_no_token_is_sent_to_a_mirror(hub: HubServer, folder: Folder, monkeypatch: pytest.MonkeyPatch, named_by: str) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    if named_by != "weights.endpoint":
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    if named_by.startswith("an address"):
        monkeypatch.setattr(remote, "HUB", hub.url[:-1] + "/")
    Downloader(folder, settings(hub) if named_by == "weights.endpoint" else WeightsConfig()).download([FILE])
    assert folder.at(FILE).read_bytes() == CONTENT
    assert hub.keys == {}


def test_the_hub_gets_its_token_and_whom_it_sends_us_on_to_does_not(
    hub: HubServer, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(remote, "HUB", hub.url + "/")
    Downloader(folder, settings(hub)).download([FILE])
    assert folder.at(FILE).read_bytes() == CONTENT
    assert hub.keys == {"127.0.0.1": "Bearer hf_secret"}  # its store is at `localhost`
