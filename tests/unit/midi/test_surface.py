"""A controller's messages in OSC, and what its lights show, without any port or socket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

mido = pytest.importorskip("mido", reason="mido is not installed (pip install 'sdv2-live[midi]')")

from support.fake_midi import read  # noqa: E402

from sdv2_live.config.schema_files import config_dir  # noqa: E402
from sdv2_live.control.osc.addresses import resolve  # noqa: E402
from sdv2_live.control.params import PARAMS, Kind  # noqa: E402
from sdv2_live.control.store import ParamStore  # noqa: E402
from sdv2_live.midi.highres import HALF_WAIT_S  # noqa: E402
from sdv2_live.midi.mapfile import load_map  # noqa: E402
from sdv2_live.midi.mirror import HOLD_S  # noqa: E402
from sdv2_live.midi.surface import Surface  # noqa: E402


class Hand:
    """Plays a surface and keeps the time."""

    def __init__(self, text: str, **options: Any) -> None:
        self.surface = Surface(read(text), **options)
        self.now = 100.0

    def note(self, number: int, velocity: int = 127, channel: int = 0) -> list[tuple[Any, ...]]:
        return self._played(mido.Message("note_on", note=number, velocity=velocity, channel=channel))

    def up(self, number: int) -> list[tuple[Any, ...]]:
        return self._played(mido.Message("note_off", note=number))

    def cc(self, number: int, value: int, channel: int = 0) -> list[tuple[Any, ...]]:
        return self._played(mido.Message("control_change", control=number, value=value, channel=channel))

    def _played(self, message: Any) -> list[tuple[Any, ...]]:
        return [(out.address, *out.args) for out in self.surface.midi(message, self.now)]

    def later(self, seconds: float) -> list[tuple[Any, ...]]:
        self.now += seconds
        return [(out.address, *out.args) for out in self.surface.tick(self.now)]

    def lights(self) -> list[tuple[int, ...]]:
        return [tuple(message.bytes()) for message in self.surface.lights()]


def test_trigger_fires_on_the_press_alone() -> None:
    hand = Hand("- {note: 5, address: /sdv2/reset}")
    assert hand.note(5) == [("/sdv2/reset",)]
    assert hand.up(5) == []
    assert hand.note(5, velocity=0) == []


def test_toggle_follows_the_daemon() -> None:
    hand = Hand("- {note: 5, address: /sdv2/freeze}")
    hand.surface.osc("/sdv2/freeze", (1,))
    assert hand.note(5) == [("/sdv2/freeze", False)]
    assert hand.note(5) == [("/sdv2/freeze", True)]  # before any echo
    hand.surface.osc("/sdv2/freeze", (0,))  # the echo of the first press, late
    assert hand.note(5) == [("/sdv2/freeze", False)]


def test_toggle_between_two_values() -> None:
    hand = Hand("- {note: 5, address: /sdv2/mix, action: toggle, value: 1.0, off: 0.3}")
    assert [hand.note(5)[0][1] for _ in range(3)] == [1.0, 0.3, 1.0]


def test_hold_puts_back_what_was_there() -> None:
    hand = Hand("- {note: 5, address: /sdv2/mix, action: hold, value: 0.0}")
    hand.surface.osc("/sdv2/mix", (0.7,))
    assert hand.note(5) == [("/sdv2/mix", 0.0)]
    hand.surface.osc("/sdv2/mix", (0.0,))
    assert hand.up(5) == [("/sdv2/mix", 0.7)]


def test_hold_of_a_switch_and_the_unplugged_controller() -> None:
    hand = Hand("- {note: 5, address: /sdv2/blackout, action: hold}")
    assert hand.note(5) == [("/sdv2/blackout", True)]
    assert [(out.address, *out.args) for out in hand.surface.let_go(hand.now)] == [("/sdv2/blackout", False)]
    assert hand.up(5) == []


def test_one_control_may_do_several_things() -> None:
    hand = Hand("- {note: 5, address: /sdv2/preset, value: 2}\n- {note: 5, address: /sdv2/reset}")
    assert hand.note(5) == [("/sdv2/preset", 2), ("/sdv2/reset",)]


def test_channels_are_kept_apart() -> None:
    hand = Hand("- {note: 5, channel: 3, address: /sdv2/reset}\n- {note: 5, channel: any, address: /sdv2/take}")
    assert hand.note(5, channel=2) == [("/sdv2/reset",), ("/sdv2/take",)]
    assert hand.note(5, channel=0) == [("/sdv2/take",)]


def test_steps_are_sent_as_several_arguments() -> None:
    assert Hand("- {note: 5, address: /sdv2/steps, value: [900, 300]}").note(5) == [("/sdv2/steps", 900, 300)]


def test_cc_button_fires_once_a_press() -> None:
    hand = Hand("- {cc: 104, address: /sdv2/reset}")
    assert [hand.cc(104, value) for value in (127, 127, 0, 127)] == [[("/sdv2/reset",)], [], [], [("/sdv2/reset",)]]


def test_range_and_curve() -> None:
    hand = Hand("- {cc: 7, address: /sdv2/noise_scale/norm, range: [1.0, 0.0], curve: 2}")
    sent = [hand.cc(7, value)[0][1] for value in (0, 64, 127)]
    assert sent == pytest.approx([1.0, 1 - (64 / 127) ** 2, 0.0])


def test_integers_are_sent_whole() -> None:
    assert Hand("- {cc: 7, address: /sdv2/transition_chunks}").cc(7, 64) == [("/sdv2/transition_chunks", 32)]


def test_program_recalls_preset_by_number() -> None:
    hand = Hand("- {program: all, address: /sdv2/preset}\n- {program: 3, address: /sdv2/reset}")
    assert hand._played(mido.Message("program_change", program=3)) == [("/sdv2/reset",), ("/sdv2/preset", 4)]


def test_fourteen_bits() -> None:
    hand = Hand("- {cc14: 7, address: /sdv2/mix}")
    assert hand.cc(7, 127) == [("/sdv2/mix", 1.0)]  # a controller may have seven bits only
    assert hand.cc(39, 127) == [("/sdv2/mix", 1.0)]
    assert hand.cc(7, 64) == []  # its low half comes next
    assert hand.cc(39, 1) == [("/sdv2/mix", (64 * 128 + 1) / 16383)]
    assert hand.cc(39, 2) == [("/sdv2/mix", (64 * 128 + 2) / 16383)]
    assert hand.cc(7, 32) == []
    assert hand.later(HALF_WAIT_S) == [("/sdv2/mix", 32 * 128 / 16383)]
    assert hand.surface.due is not None  # only the hold of the value sent
    assert hand.later(HOLD_S) == []
    assert hand.surface.due is None


def test_fourteen_bits_with_the_low_half_first() -> None:
    hand = Hand("- {cc14: 7, address: /sdv2/mix}")
    assert hand.cc(39, 5) == []  # of which high half?
    assert hand.cc(7, 64) == [("/sdv2/mix", (64 * 128 + 5) / 16383)]
    for value in (6, 127):
        assert hand.cc(39, value) == []
        assert hand.cc(7, 65) == [("/sdv2/mix", (65 * 128 + value) / 16383)]
    hand.cc(39, 9)
    assert hand.later(HALF_WAIT_S) == [("/sdv2/mix", (65 * 128 + 9) / 16383)]  # its high half has not changed


def test_halves_of_two_moves_are_not_taken_for_one() -> None:
    hand = Hand("- {cc14: 7, address: /sdv2/mix}")
    hand.cc(7, 10)
    hand.cc(39, 20)
    hand.later(1)
    assert hand.cc(39, 21) == [("/sdv2/mix", (10 * 128 + 21) / 16383)]
    hand.later(1)
    assert hand.cc(7, 11) == []
    assert hand.cc(39, 22) == [("/sdv2/mix", (11 * 128 + 22) / 16383)]


def test_nrpn_is_chosen_and_then_set() -> None:
    hand = Hand("- {nrpn: 133, address: /sdv2/mix}")
    assert [hand.cc(*pair) for pair in ((6, 9), (99, 1), (6, 9))] == [[], [], []]  # nothing is chosen yet
    assert hand.cc(98, 5) == []
    assert hand.cc(6, 64) == [("/sdv2/mix", 64 / 127)]
    assert hand.cc(38, 2) == [("/sdv2/mix", (64 * 128 + 2) / 16383)]
    assert hand.cc(6, 100, channel=1) == []
    hand.cc(98, 6)
    assert hand.cc(6, 1) == []  # another one
    hand.cc(98, 5)
    hand.cc(101, 0)
    assert hand.cc(6, 1) == []  # a registered parameter, which is none


@pytest.mark.parametrize(
    ("coding", "right", "left", "fast"), [("twos", 1, 127, 3), ("true", 1, 127, 3), ("offset", 65, 63, 67), ("sign", 1, 65, 3)]
)
def test_encoder_moves_the_value_from_where_it_is(coding: str, right: int, left: int, fast: int) -> None:
    hand = Hand(f"- {{cc: 20, relative: {coding}, address: /sdv2/mix}}")
    hand.surface.osc("/sdv2/mix", (0.5,))
    sent = [hand.cc(20, value)[0][1] for value in (right, right, fast, left)]
    assert sent == pytest.approx([0.51, 0.52, 0.55, 0.54])
    hand.later(HOLD_S)
    hand.surface.osc("/sdv2/mix", (0.005,))  # somebody else moved it
    assert [hand.cc(20, left) for _ in range(2)] == [[("/sdv2/mix", 0.0)]] * 2
    hand.later(HOLD_S)
    hand.surface.osc("/sdv2/mix", (0.995,))
    assert hand.cc(20, right) == [("/sdv2/mix", 1.0)]


@pytest.mark.parametrize(
    ("target", "told", "sent"),
    [
        ("/sdv2/transition_chunks", 5, 6),
        ("/sdv2/transition_chunks, range: [0, 8]", 5, 6),
        ("/sdv2/mix, step: 0.25", 0.5, 0.75),
        ("/sdv2/mix, range: [1.0, 0.0]", 0.5, 0.49),
        ("/sdv2/freeze", 0, 1),
        ("/sdv2/interpolation", "linear", 1),
        ("/sdv2/interpolation/norm", "linear", 0.75),
    ],
)
def test_step_of_an_encoder_is_at_least_the_next_value(target: str, told: Any, sent: float) -> None:
    hand = Hand(f"- {{cc: 20, relative: twos, address: {target}}}")
    hand.surface.osc("/sdv2/" + target.split(",")[0].removeprefix("/sdv2/").removesuffix("/norm"), (told,))
    assert hand.cc(20, 1)[0][1] == pytest.approx(sent)


def test_encoder_goes_through_presets_and_begins_at_a_default() -> None:
    hand = Hand(
        "- {cc: 20, relative: twos, address: /sdv2/preset, range: [1, 8]}\n- {cc: 21, relative: twos, address: /sdv2/mix}"
    )
    assert [hand.cc(20, 1)[0][1] for _ in range(3)] == [2, 3, 4]
    assert hand.cc(20, 127) == [("/sdv2/preset", 3)]
    assert hand.cc(21, 127)[0][1] == pytest.approx(float(PARAMS["mix"].default) - 0.01)  # type: ignore[arg-type]


def test_pitch_bend_is_a_fader_of_its_channel() -> None:
    hand = Hand("- {pitchbend: 2, address: /sdv2/mix, feedback: true}")

    def bend(pitch: int, channel: int = 1) -> list[tuple[Any, ...]]:
        return hand._played(mido.Message("pitchwheel", channel=channel, pitch=pitch))

    assert bend(0, channel=0) == []
    assert [bend(pitch)[0][1] for pitch in (-8192, 0, 8191)] == pytest.approx([0.0, 8192 / 16383, 1.0])
    hand.later(HOLD_S)
    hand.surface.osc("/sdv2/mix", (0.5,))
    assert hand.lights() == [tuple(mido.Message("pitchwheel", channel=1, pitch=0).bytes())]


def test_pressure_of_a_key_and_of_a_channel() -> None:
    hand = Hand("- {aftertouch: 36, address: /sdv2/mix}\n- {aftertouch: all, address: /sdv2/noise_scale/norm}")
    assert hand._played(mido.Message("polytouch", note=36, value=127)) == [("/sdv2/mix", 1.0)]
    assert hand._played(mido.Message("polytouch", note=37, value=127)) == []
    assert hand._played(mido.Message("aftertouch", value=127)) == [("/sdv2/noise_scale/norm", 1.0)]


def test_motor_of_an_nrpn() -> None:
    hand = Hand("- {nrpn: 133, address: /sdv2/mix, feedback: true}")
    hand.surface.osc("/sdv2/mix", (0.5,))
    assert hand.lights() == [(0xB0, 99, 1), (0xB0, 98, 5), (0xB0, 6, 64), (0xB0, 38, 0)]


def test_pickup_waits_until_the_fader_is_where_the_value_is() -> None:
    hand = Hand("- {cc: 7, address: /sdv2/mix, pickup: true}")
    hand.surface.osc("/sdv2/mix", (0.5,))
    assert [hand.cc(7, value) for value in (0, 20, 40)] == [[], [], []]
    assert hand.cc(7, 90) == [("/sdv2/mix", 90 / 127)]  # passed it
    assert hand.cc(7, 10) == [("/sdv2/mix", 10 / 127)]  # and holds it from now on, however fast
    hand.later(2 * HOLD_S)
    hand.surface.osc("/sdv2/mix", (0.9,))  # somebody else moved it
    assert hand.cc(7, 20) == []
    assert hand.cc(7, 127) == [("/sdv2/mix", 1.0)]


def test_pickup_of_whole_numbers_does_not_slip() -> None:
    hand = Hand("- {cc: 7, address: /sdv2/transition_chunks, range: [0, 4], pickup: true}")
    hand.surface.osc("/sdv2/transition_chunks", (0,))
    sent = [hand.cc(7, value) for value in range(128)]
    assert all(sent)
    assert sent[-1] == [("/sdv2/transition_chunks", 4)]


def test_pickup_without_a_daemon_moves_at_once() -> None:
    assert Hand("- {cc: 7, address: /sdv2/mix, pickup: true}").cc(7, 3) != []


def test_lights_show_what_the_daemon_says() -> None:
    hand = Hand("- {note: 5, address: /sdv2/freeze, led: {on: 3, off: 1}}")
    assert hand.lights() == []
    hand.surface.osc("/sdv2/freeze", (0,))
    assert hand.lights() == [(0x90, 5, 1)]
    hand.surface.osc("/sdv2/freeze", (1,))
    assert hand.lights() == [(0x90, 5, 3)]
    hand.surface.osc("/sdv2/freeze", (1,))
    assert hand.lights() == []


def test_light_answers_the_press_and_comes_back_when_the_daemon_disagrees() -> None:
    hand = Hand("- {note: 5, address: /sdv2/freeze, led: {on: 3}}")
    hand.surface.osc("/sdv2/freeze", (0,))
    hand.lights()
    hand.note(5)
    assert hand.lights() == [(0x90, 5, 3)]
    hand.later(HOLD_S)
    assert hand.lights() == [(0x90, 5, 0)]


def test_light_is_sent_again_after_a_release() -> None:
    hand = Hand("- {note: 5, address: /sdv2/freeze, led: {on: 3}}")
    hand.note(5)
    hand.lights()
    hand.up(5)
    assert hand.lights() == [(0x90, 5, 3)]


def test_preset_light_by_number() -> None:
    names = {1: "Neon edges", 2: "Pencil", "1": "Neon edges", "2": "Pencil"}
    line = "- {{note: {0}, address: /sdv2/preset, value: {0}, led: {{on: 1, off: 5}}}}"
    text = f"{line.format(1)}\n{line.format(2)}"
    hand = Hand(text, preset_name=names.get)
    hand.surface.osc("/sdv2/preset", ("Pencil",))
    assert hand.lights() == [(0x90, 1, 5), (0x90, 2, 1)]
    hand.note(1)
    assert hand.lights() == [(0x90, 1, 1), (0x90, 2, 5)]


def test_trigger_light_while_held() -> None:
    hand = Hand("- {note: 5, address: /sdv2/reset, led: {on: 1}}")
    hand.note(5)
    assert hand.lights() == [(0x90, 5, 1)]
    hand.up(5)
    assert hand.lights() == [(0x90, 5, 0)]


def test_motor_follows_the_daemon_but_never_the_hand() -> None:
    hand = Hand("- {cc: 7, channel: 2, address: /sdv2/mix, feedback: true}")
    hand.surface.osc("/sdv2/mix", (0.5,))
    assert hand.lights() == [(0xB1, 7, 64)]
    hand.cc(7, 100, channel=1)
    hand.surface.osc("/sdv2/mix", (0.6,))  # an echo on its way
    assert hand.lights() == []
    hand.surface.osc("/sdv2/mix", (100 / 127,))
    hand.later(HOLD_S)
    assert hand.lights() == [(0xB1, 7, 100)]


def test_motor_of_fourteen_bits() -> None:
    hand = Hand("- {cc14: 7, address: /sdv2/mix, feedback: true}")
    hand.surface.osc("/sdv2/mix", (0.5,))
    assert hand.lights() == [(0xB0, 7, 64), (0xB0, 39, 0)]


def test_replugged_controller_is_set_up_and_shown_everything() -> None:
    hand = Hand(
        "port: Pad\nsetup: ['F0 01 F7']\ncontrols:\n"
        "  - {note: 5, address: /sdv2/freeze, led: {on: 3}}\n  - {cc: 7, address: /sdv2/mix, feedback: true}"
    )
    hand.surface.osc("/sdv2/freeze", (1,))
    hand.surface.osc("/sdv2/mix", (1.0,))
    shown = hand.lights()
    assert [message.bytes() for message in hand.surface.redraw()] == [[0xF0, 1, 0xF7]]
    assert hand.lights() == shown
    assert [message.bytes() for message in hand.surface.dark()] == [[0x90, 5, 0]]


@pytest.mark.parametrize(
    ("address", "args"),
    [
        ("/sdv2/mix", ()),
        ("/sdv2/mix", ("x",)),
        ("/sdv2/nothing", (1,)),
        ("/sdv2/applied/mix", (3,)),
        ("/other", (1,)),
        ("/sdv2/preset", ()),
    ],
)
def test_whatever_the_daemon_says_is_taken(address: str, args: tuple[Any, ...]) -> None:
    hand = Hand("- {cc: 7, address: /sdv2/mix, feedback: true}")
    hand.surface.osc(address, args)
    assert hand.lights() == []


def test_other_messages_mean_nothing() -> None:
    hand = Hand("- {note: 5, address: /sdv2/reset}")
    for message in (mido.Message("clock"), mido.Message("pitchwheel"), mido.Message("polytouch", note=5), mido.Message("sysex")):
        assert hand._played(message) == []


MAPS = [load_map(path) for path in sorted((config_dir() / "midi").glob("*.yaml"))]
SEVEN = st.integers(0, 127)
PLAYED = st.one_of(
    st.builds(lambda n, v, c: mido.Message("note_on", note=n, velocity=v, channel=c), SEVEN, SEVEN, st.sampled_from([0, 8])),
    st.builds(
        lambda n, v, c: mido.Message("control_change", control=n, value=v, channel=c), SEVEN, SEVEN, st.sampled_from([0, 8])
    ),
)
ARGUMENT = st.one_of(st.integers(), st.floats(), st.text(max_size=9), st.booleans(), st.none())
TOLD = st.tuples(st.sampled_from([f"/sdv2/{name}" for name in PARAMS]), st.lists(ARGUMENT, max_size=3).map(tuple))


@given(st.sampled_from(MAPS), st.lists(st.one_of(PLAYED, TOLD, st.floats(0, 1)), max_size=60))
def test_nothing_that_is_played_or_told_is_more_than_the_daemon_takes(midi_map: Any, events: list[Any]) -> None:
    surface, now, outs = Surface(midi_map), 0.0, []
    for event in events:
        if isinstance(event, float):
            now += event
            outs += surface.tick(now)
        elif isinstance(event, tuple):
            surface.osc(*event)
        else:
            outs += surface.midi(event, now)
        for message in surface.lights():
            assert 0 <= message.bytes()[-1] <= 127
    outs += surface.let_go(now)
    store = ParamStore()
    for out in outs:
        asked = resolve(out.address, out.args)
        if asked is not None and "timeline" not in out.address and PARAMS[str(asked[0])].kind not in (Kind.PRESET, Kind.TRIGGER):
            assert not store.set_many({str(asked[0]): asked[1]}, "midi").notes  # nothing had to be clamped
