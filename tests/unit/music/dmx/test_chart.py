"""The chart of a light desk, and that everything made from it says the same."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest
from support.places import EXAMPLES, PACKAGE

from sdv2_live import __version__
from sdv2_live.control.coerce import coerce
from sdv2_live.control.params import PARAMS
from sdv2_live.control.params import Kind as Row
from sdv2_live.music.dmx import exports
from sdv2_live.music.dmx.chart import CHART, MODES, Kind, Mode, layout

NS = "{http://www.qlcplus.org/FixtureDefinition}"
SHIPPED = EXAMPLES / "qlcplus" / "sdv2-live.qxf"


def test_every_function_plays_a_parameter_of_its_sort() -> None:
    kinds = {
        Kind.FADER: Row.FLOAT,
        Kind.SWITCH: Row.BOOL,
        Kind.BUTTON: Row.TRIGGER,
        Kind.NUMBER: Row.PRESET,
        Kind.BANDS: Row.CHOICE,
    }
    for function in CHART:
        spec = PARAMS[function.name]
        assert spec.kind is kinds[function.kind]
        assert set(function.choices) == set(spec.choices), function.name
        if function.kind is Kind.FADER:
            for raw in (0, 1, 255):
                assert not coerce(spec, function.value(raw, False)).note, "in the parameter's range"
            assert (function.value(0, False), function.value(255, False)) == (0.0, function.high)
            assert function.value(0xFFFF, True) == function.high


@pytest.mark.parametrize("mode", MODES)
def test_levels_are_read_by_the_channels_numbers(mode: Mode) -> None:
    channels = layout(mode).channels
    assert [channel.number for channel in channels] == list(range(1, len(channels) + 1))
    for at, function in enumerate(CHART):
        levels = bytearray(len(channels))
        for channel in channels:
            if channel.function is function:
                levels[channel.number - 1] = 255
        said = layout(mode).read(levels)
        assert [place for place, raw in enumerate(said) if raw] == [at]


def test_both_halves_of_a_fader_come_together() -> None:
    sixteen = layout("16bit")
    assert sixteen.read(bytes([0x12, 0x34]))[0] == 0x1234
    assert CHART[0].value(0x1234, True) == round(0x1234 / 65535, 6)
    assert sixteen.read(bytes([0x12]))[0] is None, "one half alone says nothing"
    assert sixteen.read(b"") == (None,) * len(CHART)


def _by_qxf(text: bytes) -> set[tuple[str, ...]]:
    root = ElementTree.fromstring(text)
    meanings = {
        channel.get("Name"): [(one.get("Min"), one.get("Max"), one.text) for one in channel.findall(NS + "Capability")]
        for channel in root.findall(NS + "Channel")
    }
    return {
        (mode.get("Name"), str(int(channel.get("Number", "")) + 1), channel.text, *meaning)
        for mode in root.findall(NS + "Mode")
        for channel in mode.findall(NS + "Channel")
        for meaning in meanings[channel.text]
    }


def test_table_fixture_and_csv_agree() -> None:
    lines = list(csv.DictReader(io.StringIO(exports.chart_csv())))
    by_csv = {(line["mode"], line["channel"], line["name"], line["from"], line["to"], line["meaning"]) for line in lines}
    assert by_csv == _by_qxf(exports.qxf("1"))
    in_table = [[cell.strip() for cell in line.strip("|").split("|")] for line in exports.markdown().splitlines()[2:]]
    by_table = {
        (mode, row[at], row[0], row[3].strip("`")) for row in in_table for at, mode in ((1, "8 bit"), (2, "16 bit")) if row[at]
    }
    assert by_table == {(line["mode"], line["channel"], line["name"], line["address"]) for line in lines}
    for row in in_table:
        for line in lines:
            assert line["name"] != row[0] or line["meaning"] in row[4]


def test_every_level_of_a_channel_has_one_meaning() -> None:
    for channel in layout("16bit").channels:
        levels = [level for one in exports.ranges(channel) for level in range(one.low, one.high + 1)]
        assert levels == list(range(256)), channel.label
        if channel.function.kind is Kind.BANDS:
            for one in exports.ranges(channel):
                for level in (one.low, one.high):
                    raw = layout("8bit").read(bytes([level] * len(layout("8bit"))))[CHART.index(channel.function)]
                    assert raw is not None
                    assert channel.function.value(raw, False) == one.meaning


def test_what_is_shipped_is_what_the_chart_makes() -> None:
    assert SHIPPED.read_bytes() == exports.qxf(__version__), "run: sdv2-live dmx --qxf examples/qlcplus/sdv2-live.qxf"
    assert exports.markdown() in (PACKAGE / "manual" / "light-desks.md").read_text(encoding="utf-8"), "run tools/manual.py"
