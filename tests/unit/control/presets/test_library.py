"""Presets: the shipped ones, the library, and errors word for word."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.systems import replace as put
from support.systems import without, words

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.control.macros import Macros
from sdv2_live.control.names import ParamNames
from sdv2_live.control.params import Params, updated
from sdv2_live.control.presets.file import load_preset
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import MAX_PROBLEMS, ConfigError, ParamError


@pytest.fixture
def shipped() -> PresetLibrary:
    return PresetLibrary(Config().presets.folder)


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_shipped_presets_are_sound(shipped: PresetLibrary) -> None:
    assert shipped.problems == ()
    assert [preset.number for preset in shipped.presets] == list(range(1, 9))
    for preset in shipped.presets:
        assert len(str(preset.values["prompt"]).split()) >= 60, preset.name
        assert preset.description
        ParamStore().set_many(preset.values, "test")
        assert preset.painted_by("1.3b") == preset.painted_by("auto") == preset


def test_shipped_presets_suit_the_embedded_model(shipped: PresetLibrary) -> None:
    large = shipped.presets
    shipped.painter = "tiny"
    assert [(preset.number, preset.name) for preset in shipped.presets] == [(preset.number, preset.name) for preset in large]
    for preset in shipped.presets:
        assert len(str(preset.values["prompt"]).split()) <= 8, preset.name
        assert preset.values["noise_scale"] in (0.3, 0.4)
        assert preset.values["steps"] == (400,)
        ParamStore().set_many(preset.values, "test")


@pytest.mark.parametrize("key", ["Neon edges", " neon EDGES ", "01-neon-edges", 1, 1.0, "1"])
def test_get_by_name_file_or_number(shipped: PresetLibrary, key: object) -> None:
    assert shipped.get(key).name == "Neon edges"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("neon edge", "there is no preset 'neon edge'; did you mean 'neon edges'?"),
        ("../../etc/passwd", "there is no preset '../../etc/passwd'; the presets are 1 Neon edges, 2 Pencil sketch, "),
        (0, "there is no preset 0; the presets are 1 Neon edges, "),
        (1.5, "there is no preset 1.5; the presets are 1 Neon edges, "),
        (float("nan"), "there is no preset nan; the presets are 1 Neon edges, "),
        (b"blob", "there is no preset b'blob'; the presets are 1 Neon edges, "),
    ],
)
def test_unknown_preset(shipped: PresetLibrary, key: object, message: str) -> None:
    with pytest.raises(ParamError) as caught:
        shipped.get(key)
    assert str(caught.value).startswith(message)


def test_broken_file_keeps_the_others_and_their_numbers(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="params: {sed: 1}", c="params: {seed: 3}"))
    assert [(preset.number, preset.name) for preset in library.presets] == [(1, "a"), (3, "c")]
    assert library.problems == (f"{tmp_path / 'b.yaml'}:1: there is no parameter 'sed'; did you mean 'seed'?",)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="name: A\nparams: {seed: 2}"))
    assert library.problems == (f"{tmp_path / 'b.yaml'}: the name 'A' is taken by a.yaml; choose another",)


def test_every_mistake_is_named(tmp_path: Path) -> None:
    text = "name: [x]\nauthor: me\nparam:\nparams:\n  noise_scale: 1.5\n  steps: 500,700\n  seed: 1\n  seed: 2\n  reset: 1\n"
    path = folder(tmp_path, a=text) / "a.yaml"
    with pytest.raises(ConfigError) as caught:
        load_preset(path)
    assert without(tmp_path, str(caught.value)).splitlines() == [
        "a.yaml:8: params.seed: given twice, first in line 7; keep one",
        "a.yaml:2: author: there is no such key; the keys are name, description, params, for",
        "a.yaml:3: param: there is no such key; did you mean 'params'?",
        "a.yaml:1: name: cannot be ['x']; give text",
        "a.yaml:5: noise_scale cannot be 1.5; give a number 0..1",
        "a.yaml:6: steps cannot be '500,700' (not strictly descending); "
        "give 1 to 4 strictly descending integers 1..1000, such as 700,500",
        "a.yaml:9: reset happens once and has no value to keep here; leave it out",
    ]


TINY = "params: {seed: 1, prompt: 1984}\nfor:\n  tiny: {prompt: no, detail: 0.5}\n"


def test_a_block_replaces_values_where_its_model_paints(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a=TINY), painter="auto")
    assert library.get("a").values == {"seed": 1, "prompt": "1984"}
    library.painter = "tiny"
    assert library.get("a").values == library.presets[0].values == {"seed": 1, "prompt": "no", "detail": 0.5}
    library.painter = "14b"
    assert library.get("a").values == {"seed": 1, "prompt": "1984"}
    assert library.problems == ()


def test_a_block_for_an_unknown_model_leaves_the_preset_usable(tmp_path: Path) -> None:
    text = TINY + "  tinny: {seed: 3}\n  7b: {seed: 4}\n"
    library = PresetLibrary(folder(tmp_path, a=text), names=ParamNames(models=("tiny", "1.3b", "14b")), painter="tiny")
    assert library.get("a").values["prompt"] == "no"
    assert [without(tmp_path, problem) for problem in library.problems] == [
        "a.yaml:4: for.tinny: there is no such key; did you mean 'tiny'?",
        "a.yaml:5: for.7b: there is no such key; the keys are tiny, 1.3b, 14b",
    ]


def test_blocks_are_for_the_models_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("{size: tiny, licence: {name: mine}}")
    names = load_config(None, [f"model.profiles_dir={tmp_path}"]).names
    assert set(names.models) == {*PROFILES, "mine"}


def test_mistakes_of_a_block_are_named(tmp_path: Path) -> None:
    text = TINY + "  1.3b:\n    noise_scale: 1.5\n    morph_seconds: x\n    reset: 1\n  14b: 3\n"
    library = PresetLibrary(folder(tmp_path, a=text, b="params: {seed: 1}\nfor: tiny\n"))
    assert library.presets == ()
    assert [without(tmp_path, problem) for problem in library.problems] == [
        "a.yaml:5: for.1.3b: noise_scale cannot be 1.5; give a number 0..1",
        "a.yaml:6: for.1.3b: morph_seconds cannot be 'x'; give a number 0..600 seconds",
        "a.yaml:7: for.1.3b: reset happens once and has no value to keep here; leave it out",
        "a.yaml:8: for.14b: cannot be 3; give parameters and their values, such as noise_scale: 0.8",
        "b.yaml:2: for: cannot be 'tiny'; give a model and its values, such as tiny: {noise_scale: 0.4}",
    ]


def test_saving_over_a_preset_changes_it_only_for_the_model_that_paints(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, **{"01-a": f"name: a\ndescription: mine\n{TINY}"}), painter="tiny")
    assert library.save("a", Params(seed=2, steps=(300,)), force=True).values["steps"] == (300,)
    saved = load_preset(tmp_path / "01-a.yaml")
    assert (saved.description, saved.values) == ("mine", {"seed": 1, "prompt": "1984"})
    assert saved.blocks["tiny"]["seed"] == 2
    library.painter = "1.3b"
    library.save("a", Params(seed=3), force=True)
    assert library.get("a").values["seed"] == 3
    assert load_preset(tmp_path / "01-a.yaml").blocks == saved.blocks
    library.painter = "tiny"
    assert load_preset(library.save("new", Params(seed=4)).path).blocks == {}


def test_a_preset_that_is_live_goes_over_to_another_model_less_what_was_edited(tmp_path: Path) -> None:
    text = (
        "params: {seed: 1, prompt: long, noise_scale: 0.8}\nfor: {tiny: {prompt: short, noise_scale: 0.4, detail: 0.5, mix: 0.9}}"
    )
    library = PresetLibrary(folder(tmp_path, a=text))
    store = ParamStore(macros=Macros(library))
    store.set("preset", "a", "test")
    store.set_many({"noise_scale": 0.7, "mix": 0.2}, "hand")
    chosen = {"preset", "prompt", "noise_scale", "mix"}
    assert library.paint_by("tiny", store.latest(), chosen) == {"prompt": "short", "detail": 0.5}
    assert library.paint_by("tiny", store.latest(), chosen) == {}
    assert library.paint_by("1.3b", Params(), ()) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "a.yaml:1: a preset is a mapping with params, not [1]"),
        ("", "a.yaml: params: cannot be nothing; give parameters and their values, such as noise_scale: 0.8"),
        ("params: 3", "a.yaml:1: params: cannot be 3; give parameters and their values, such as noise_scale: 0.8"),
        ('name: ""\nparams: {seed: 1}', "a.yaml:1: name: cannot be ''; give 1 to 80 printable characters"),
    ],
)
def test_unusable_file(tmp_path: Path, text: str, message: str) -> None:
    path = folder(tmp_path, a=text) / "a.yaml"
    with pytest.raises(ConfigError) as caught:
        load_preset(path)
    assert without(tmp_path, str(caught.value)) == message


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=rf"none: not a folder of presets \({words(errno.ENOENT)}\); create it, or set presets\.dir"
    ):
        PresetLibrary(tmp_path / "none")


def test_edits_are_noticed_and_a_broken_one_keeps_what_was(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="params: {seed: 2}"))
    assert not library.poll()
    folder(tmp_path, a="params: {seed: 10}", b="params: {seed: oh}", c="params: {seed: 3}")
    assert library.poll()
    assert [preset.values for preset in library.presets] == [{"seed": 10}, {"seed": 2}, {"seed": 3}]
    assert library.problems == (f"{tmp_path / 'b.yaml'}:1: seed cannot be 'oh'; give an integer 0..9223372036854775807",)
    (tmp_path / "a.yaml").unlink()
    folder(tmp_path, b="params: {seed: 20}")
    assert library.poll()
    assert [(preset.number, preset.values) for preset in library.presets] == [(2, {"seed": 20}), (3, {"seed": 3})]
    assert library.problems == ()
    assert not library.poll()


def test_folder_that_vanishes_keeps_the_presets(tmp_path: Path) -> None:
    home = tmp_path / "presets"
    home.mkdir()
    library = PresetLibrary(folder(home, a="params: {seed: 1}"))
    (home / "a.yaml").unlink()
    home.rmdir()
    with pytest.raises(ConfigError, match="not a folder of presets"):
        library.poll()
    assert library.get("a").values == {"seed": 1}


def test_saved_preset_restores_the_look(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, **{"01-a": "params: {seed: 1}"}))
    params = Params(
        prompt="ink: \u2744 # 'quoted'\nsecond line", noise_scale=0.3, steps=(900, 100), freeze=True, mix=0.2, seed=2**40
    )
    saved = library.save("My Look 2", params, "a \u2744")
    assert (saved.number, saved.path.name, saved.description) == (2, "02-my-look-2.yaml", "a \u2744")
    assert updated(Params(), saved.values) == replace(params, freeze=False, mix=1.0)
    assert library.presets == PresetLibrary(tmp_path).presets


def test_saved_blend_restores_its_slots(tmp_path: Path) -> None:
    params = updated(Params(), {"prompt/3/text": "fire", "prompt/3/weight": 0.5, "prompt/1/weight": 0.25})
    saved = PresetLibrary(tmp_path).save("Blend", params)
    assert updated(updated(Params(), {"prompt/2/weight": 1.0}), saved.values) == params


def test_saving_never_replaces_without_force(tmp_path: Path) -> None:
    library = PresetLibrary(tmp_path)
    library.save("Mine", Params(seed=1))
    with pytest.raises(ParamError, match=r"^there is a preset 'Mine' already; choose another name$"):
        library.save("mine", Params(seed=2))
    assert library.get("mine").values["seed"] == 1
    assert library.save("mine", Params(seed=2), force=True).values["seed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["01-mine.yaml"]


@pytest.mark.parametrize("name", ["", " ", "a\0b", "x" * 81, "a\nb", "\ud800", 5, None])
def test_names_that_cannot_be_shown_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ParamError, match=r"^a preset cannot be named "):
        PresetLibrary(tmp_path).save(name, Params())
    assert list(tmp_path.iterdir()) == []


def test_shipped_presets_are_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match=r"set presets\.dir to a folder of your own"):
        PresetLibrary(tmp_path, writable=False).save("Mine", Params())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("B\u00fchne", "02-buhne.yaml"),
        ("\u6771\u4eac", "02-preset.yaml"),
        ("../../etc/passwd", "02-etc-passwd.yaml"),
        ("AC/DC: live?", "02-ac-dc-live.yaml"),
        ("C:\\CON", "02-c-con.yaml"),
        (".hidden ", "02-hidden.yaml"),
        ("no", "02-no.yaml"),
        ("x" * 80, "02-" + "x" * 40 + ".yaml"),
    ],
)
def test_any_name_that_can_be_shown_is_saved_under_a_safe_one(tmp_path: Path, name: str, file: str) -> None:
    library = PresetLibrary(folder(tmp_path, **{"01-a": "params: {seed: 1}"}))
    assert library.save(name, Params(seed=5)).path == tmp_path / file
    assert PresetLibrary(tmp_path).get(name.upper()).name == name.strip()
    with pytest.raises(ParamError, match="already; choose another name"):
        library.save(name.upper(), Params())


def numbers(library: PresetLibrary) -> dict[int, str]:
    return {preset.number: preset.path.stem for preset in library.presets}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["01-one", "02-two", "10-ten", "20-twenty"], {1: "01-one", 2: "02-two", 10: "10-ten", 20: "20-twenty"}),
        (["ink", "neon", "water"], {1: "ink", 2: "neon", 3: "water"}),
        (["01-a", "03-c", "ink", "zoo"], {1: "01-a", 2: "ink", 3: "03-c", 4: "zoo"}),
        (["100_a", "99 b", "7", "3d"], {1: "3d", 7: "7", 99: "99 b", 100: "100_a"}),
        ([f"{number:02d}-p" for number in range(1, 100)], {number: f"{number:02d}-p" for number in range(1, 100)}),
    ],
)
def test_a_number_is_that_of_the_file_and_stays_when_another_is_saved(
    tmp_path: Path, files: list[str], expected: dict[int, str]
) -> None:
    library = PresetLibrary(folder(tmp_path, **{name: f"name: {name} x\nparams: {{seed: 1}}" for name in files}))
    assert numbers(library) == expected
    highest = max(expected)
    assert library.save("aaa", Params()).number == highest + 1
    assert library.save("zzz", Params()).number == highest + 2
    expected = {**expected, highest + 1: f"{highest + 1:02d}-aaa", highest + 2: f"{highest + 2:02d}-zzz"}
    assert numbers(library) == numbers(PresetLibrary(tmp_path)) == expected


def test_a_number_stays_when_another_file_is_deleted_or_broken(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, **{name: "params: {seed: 1}" for name in ("01-a", "02-b", "ink", "neon")}))
    (tmp_path / "02-b.yaml").unlink()
    folder(tmp_path, ink="params: {sed: 1}", **{"05-e": "params: [", "ant": "params: {seed: 1}"})
    library.load()
    assert numbers(library) == {1: "01-a", 2: "ant", 3: "ink", 4: "neon"}
    assert library.save("new", Params()).number == 6


def test_a_number_is_given_once(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, **{"01-a": "params: {seed: 1}", "01-b": "params: {seed: 2}"}))
    assert numbers(library) == {1: "01-a", 2: "01-b"}
    assert library.problems == (f"{tmp_path / '01-b.yaml'}: the number 1 is taken by 01-a.yaml; give the file's name another",)


@pytest.mark.parametrize("key", [True, False, "True"])
def test_a_truth_value_is_no_number(shipped: PresetLibrary, key: object) -> None:
    with pytest.raises(ParamError, match="there is no preset"):
        shipped.get(key)
    with pytest.raises(ParamError):
        ParamStore(macros=Macros(shipped)).set("preset", key, "test")


def test_a_number_goes_before_a_name(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, **{"01-a": "name: '2'\nparams: {seed: 1}", "02-b": "params: {seed: 2}"}))
    assert library.get("2").path.stem == "02-b"


def test_a_folder_holds_so_many_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.control.presets.library.MAX_PRESETS", 3)
    monkeypatch.setattr("sdv2_live.control.presets.folder.MAX_PRESETS", 3)
    library = PresetLibrary(folder(tmp_path, **{name: "params: {seed: 1}" for name in "ab"}))
    library.save("third", Params())
    with pytest.raises(ParamError, match="holds 3 presets, the most there can be; move some elsewhere"):
        library.save("fourth", Params())
    assert library.save("third", Params(seed=2), force=True).values["seed"] == 2
    folder(tmp_path, d="params: {seed: 1}")
    library.load()
    assert (len(library.presets), library.problems) == (
        3,
        (f"{tmp_path}: holds more than 3 presets; the first are read, move the others away",),
    )


def test_a_large_file_that_is_no_preset_is_one_sentence(tmp_path: Path) -> None:
    library = PresetLibrary(folder(tmp_path, big="params:\n" + "".join(f"  layer{n}_opacity: 0.5\n" for n in range(20_000))))
    assert library.problems == (f"{tmp_path / 'big.yaml'}: larger than 200000 bytes; is this the right file?",)


@pytest.mark.parametrize("line", ["  layer{}_opacity: 0.5\n", "  noise_scale: {}\n", "  'noise_scale ': {}\n"])
def test_of_many_mistakes_the_first_are_told(tmp_path: Path, line: str) -> None:
    text = "params:\n" + "".join(line.format(n) for n in range(2, 3000))
    library = PresetLibrary(folder(tmp_path, a=text, b=text))
    assert len(library.problems) == MAX_PROBLEMS + 1
    assert library.problems[0].startswith(f"{tmp_path / 'a.yaml'}:")
    assert library.problems[-1] == "there are more mistakes; mend these first"


class Editor:
    """Saves a file in steps, one each time that the library waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)
        monkeypatch.setattr("sdv2_live.control.presets.folder.time.sleep", self.step)

    def step(self, _: float = 0) -> None:
        if self.steps:
            self.steps.pop(0)()


def test_a_file_that_is_being_replaced_is_neither_lost_nor_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}", b="params: {seed: 2}"))
    path, backup = tmp_path / "a.yaml", tmp_path / "a.yaml~"
    editor = Editor(
        monkeypatch,
        lambda: path.replace(backup),  # as vim does
        lambda: path.write_text(""),
        lambda: path.write_text("params: {see"),
        lambda: path.write_text("params: {seed: 10}"),
    )
    editor.step()
    assert library.poll()
    assert editor.steps == []
    assert [(preset.number, preset.values) for preset in library.presets] == [(1, {"seed": 10}), (2, {"seed": 2})]
    assert library.problems == ()


def test_a_file_that_is_written_without_end_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = PresetLibrary(folder(tmp_path, a="params: {seed: 1}"))
    path = tmp_path / "a.yaml"
    editor = Editor(monkeypatch, *(lambda size=size: path.write_text("[" * size) for size in range(1, 20)))
    editor.step()
    library.load()
    assert (library.presets[0].values, library.problems) == ({"seed": 1}, ())
    editor.steps = [lambda: path.write_text("params: {seed: 3}")]
    assert library.poll()
    assert library.presets[0].values == {"seed": 3}


def test_a_start_amid_an_editor_that_replaces_files(tmp_path: Path) -> None:
    folder(tmp_path, **{f"{n:02d}": "params: {mix: 1}" for n in range(1, 6)})
    stop = threading.Event()

    def edit() -> None:
        while not stop.is_set():
            new = tmp_path / "zz.yaml"
            new.write_text("params: {mix: 0.5}")
            put(new, tmp_path / "03.yaml")

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        for _ in range(20):
            assert numbers(PresetLibrary(tmp_path)).keys() >= {1, 2, 3, 4, 5}
    finally:
        stop.set()
        editor.join()
