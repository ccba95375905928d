"""The TouchDesigner script against the real OSC server; TouchDesigner itself is a stand-in that knows only what is documented."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support.places import EXAMPLES
from support.td_standin import CUSTOM_NAME, OP, TdError, World
from support.waiting import eventually

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS, Kind, Params, ParamSpec, value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.control.surfaces.touchdesigner import par_name, row, script

EXAMPLE = EXAMPLES / "touchdesigner" / "build_network.py"


class Rig:
    """A show's OSC server, and a TouchDesigner project with the component in it."""

    def __init__(self, store: ParamStore, server: OscServer, world: World) -> None:
        self.store, self.server, self.world = store, server, world

    @property
    def comp(self) -> OP:
        comp = self.world.project.op("sdv2live")
        assert comp is not None
        return comp

    def until(self, what: str, condition: object) -> None:
        assert callable(condition)

        def look() -> bool:
            self.world.frame()
            return bool(condition())

        eventually(what, look)

    def settle(self) -> None:
        """Until a message sent now has come through both ways."""
        marker = self.store.latest().morph_seconds + 1
        self.store.set("morph_seconds", marker, "midi")
        self.until("the last value", lambda: self.comp.par.Morphseconds.eval() == marker)
        self.world.frame()


def two_free_ports() -> int:
    """The first of two neighbours."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture
def rig() -> Iterator[Rig]:
    store, world = ParamStore(), World()
    with OscServer(store, port=0, status=lambda: {"fps": 24.5}) as server:
        world.run_script(EXAMPLE.read_text(encoding="utf-8"))
        rig = Rig(store, server, world)
        rig.comp.par.Port = server.port
        rig.comp.par.Feedbackport = two_free_ports()
        yield rig
        world.close()
    assert server.counters.failures == server.counters.refused == server.counters.malformed == 0


@pytest.fixture
def linked(rig: Rig) -> Rig:
    """The rig when the panel has read the show."""
    rig.store.set("mix", 0.25, "midi")
    rig.until("the panel to read the show", lambda: rig.comp.par.Mix.eval() == 0.25 and rig.comp.par.Adaptsinkthreshold.eval())
    rig.settle()
    return rig


def test_the_committed_script_is_current() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == script(), f"run: sdv2-live osc --touchdesigner {EXAMPLE}"


def test_the_script_stands_alone() -> None:
    text = script()
    compile(text, "build_network.py", "exec")
    assert "import sdv2_live" not in text
    assert "from sdv2_live" not in text


def test_every_parameter_is_on_the_panel_with_its_range_and_default(rig: Rig) -> None:
    for name, spec in PARAMS.items():
        par = rig.comp.par[par_name(name)]
        assert spec.doc in par.help
        if par.style in ("Float", "Int"):
            assert (par.min, par.max, par.normMin, par.normMax) == (spec.low, spec.high, spec.low, spec.high)
            assert par.clampMin
            assert par.clampMax
            assert par.eval() == par.default == spec.default
        elif par.style == "Toggle":
            assert par.eval() == int(bool(spec.default))
        elif par.style == "Menu":
            assert tuple(par.menuNames) == spec.choices
            assert par.eval() == spec.default
        elif par.style == "Pulse":
            assert spec.kind is Kind.TRIGGER


def test_pictures_go_there_and_back(rig: Rig) -> None:
    sent, heard, out = rig.comp.op("ndi_out"), rig.comp.op("ndi_in"), rig.comp.op("out1")
    assert sent is not None
    assert heard is not None
    assert out is not None
    assert sent.par.name.eval() == "TouchDesigner"
    assert sent.inputs == [rig.comp.op("in1")]
    assert heard.par.name.eval() == f"{socket.gethostname().upper()} (sdv2-live)"
    assert out.inputs == [heard]


def test_channels_go_to_the_osc_port_when_wanted(rig: Rig) -> None:
    chop = rig.comp.op("osc_out_chop")
    assert chop is not None
    assert chop.inputs == [rig.comp.op("in2")]
    assert (chop.par.netaddress.eval(), chop.par.port.eval(), chop.par.active.eval()) == ("127.0.0.1", rig.server.port, 0)
    rig.comp.par.Sendchop = True
    assert chop.par.active.eval() == 1


def test_the_panel_reads_the_show(linked: Rig) -> None:
    linked.store.set_many(
        {
            "noise_scale": 0.3,
            "prompt": "encre é 墨, two words",
            "freeze": True,
            "interpolation": "slerp",
            "steps": (900, 300),
            "transition_chunks": 7,
            "seed": 2**40,
            "prompt/2/text": "rain",
            "prompt/2/weight": 0.5,
        },
        "midi",
    )
    linked.settle()
    par = linked.comp.par
    assert par.Noisescale.eval() == pytest.approx(0.3)
    assert par.Prompt.eval() == "encre é 墨, two words"
    assert par.Freeze.eval() == 1
    assert par.Interpolation.eval() == "slerp"
    assert par.Steps.eval() == "900, 300"
    assert par.Transitionchunks.eval() == 7
    assert par.Seed.eval() == str(2**40)
    assert par.Prompt2text.eval() == "rain"
    assert par.Prompt2weight.eval() == 0.5


def test_a_hand_on_the_panel_plays_the_show(linked: Rig) -> None:
    par = linked.comp.par
    par.Noisescale, par.Prompt, par.Freeze, par.Interpolation = 0.6, "ink é 墨", True, "slerp"
    par.Steps, par.Transitionchunks, par.Seed, par.Prompt3weight = "900, 300", 9, "123456789012", 0.75
    wanted = {"prompt": "ink é 墨", "freeze": True, "interpolation": "slerp", "steps": (900, 300), "transition_chunks": 9}
    wanted |= {"seed": 123456789012, "prompt/3/weight": 0.75, "noise_scale": pytest.approx(0.6)}

    def all_there() -> bool:
        latest = linked.store.latest()
        return all(value_of(latest, PARAMS[name]) == value for name, value in wanted.items())

    linked.until("every value", all_there)


def test_pulses_fire_triggers(linked: Rig) -> None:
    linked.store.snapshot()
    linked.comp.par.Reset.pulse()
    fired: set[str] = set()

    def taken() -> set[str]:
        fired.update(linked.store.snapshot().fired)
        return fired

    linked.until("the reset", taken)
    assert fired == {"reset"}


def test_what_the_show_sends_is_not_sent_back(linked: Rig) -> None:
    before = len(linked.world.sent)
    for step in range(20):
        linked.store.set("noise_scale", step / 20, "midi")
        linked.store.set("prompt", f"look {step}", "midi")
        linked.store.set("freeze", bool(step % 2), "midi")
        linked.world.frame()
    linked.settle()
    assert linked.comp.par.Prompt.eval() == "look 19"
    assert linked.world.sent[before:] == []


def test_two_panels_do_not_answer_one_another(linked: Rig) -> None:
    other = World()
    other.run_script(EXAMPLE.read_text(encoding="utf-8"))
    second = Rig(linked.store, linked.server, other)
    second.comp.par.Port = linked.server.port
    second.comp.par.Feedbackport = two_free_ports()
    try:
        second.until("the second panel", lambda: second.comp.par.Mix.eval() == 0.25)
        second.settle()
        linked.settle()
        before = len(linked.world.sent) + len(other.sent)
        linked.comp.par.Noisescale = 0.45
        second.until(
            "the first hand's value", lambda: linked.world.frame() or second.comp.par.Noisescale.eval() == pytest.approx(0.45)
        )
        second.settle()
        linked.settle()
        assert len(linked.world.sent) + len(other.sent) == before + 1
    finally:
        other.close()


def test_numbers_of_the_show_come_by_chop(linked: Rig) -> None:
    chop = linked.comp.op("osc_in_chop")
    assert chop is not None
    linked.until("the frame rate", lambda: chop.channels.get("sdv2/status/fps") == 24.5)
    out = linked.comp.op("out2")
    assert out is not None
    assert out.inputs == [chop]


def test_empty_fields_mean_nothing_but_an_empty_prompt(linked: Rig) -> None:
    linked.store.set("prompt/2/text", "rain", "midi")
    linked.settle()
    linked.comp.par.Seed, linked.comp.par.Steps, linked.comp.par.Prompt2text = "", "", ""
    linked.until("the cleared slot", lambda: linked.store.latest().prompts[0] == "")
    assert linked.store.latest().seed == Params().seed


def test_a_refused_value_is_told(linked: Rig) -> None:
    linked.comp.par.Steps = "500, 700"
    linked.until("the reason", lambda: "descending" in linked.comp.par.Lasterror.eval())
    assert linked.store.latest().steps == Params().steps
    linked.server.counters.refused = 0  # as meant here


def test_a_project_that_is_opened_again_subscribes(linked: Rig) -> None:
    before = len(linked.world.sent)
    linked.world.start_project()
    assert len(linked.world.sent) == before + 2


def test_running_it_again_keeps_the_connection(linked: Rig) -> None:
    linked.comp.par.Sourcename = "Deck A"
    old, port = linked.comp, linked.comp.par.Feedbackport.eval()
    linked.world.run_script(EXAMPLE.read_text(encoding="utf-8"))
    assert linked.comp is not old
    assert linked.comp.par.Sourcename.eval() == "Deck A"
    assert linked.comp.par.Feedbackport.eval() == port
    linked.until("the new panel", lambda: linked.comp.par.Mix.eval() == 0.25)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("prompt/2/text", "Prompt2text"), ("noise_scale", "Noisescale"), ("2nd é/look", "P2ndlook"), ("A", "A")],
)
def test_names(name: str, expected: str) -> None:
    assert par_name(name) == expected
    assert CUSTOM_NAME.fullmatch(par_name(name))


def test_names_that_would_meet_are_an_error() -> None:
    twins = [ParamSpec(name, Kind.BOOL, False, "", field=name) for name in ("a_b", "ab", "port")]
    with pytest.raises(ValueError, match=r"^two parameters would be named Ab, Port in TouchDesigner$"):
        script(twins)


def test_text_of_any_kind_survives_the_table() -> None:
    spec = ParamSpec("x", Kind.TEXT, 'it\'s "é" 墨\n\\', "doc with \"\"\" and '''", field="x", high=100)
    scope: dict[str, object] = {}
    exec(script([spec]).replace("build(parent())", ""), scope)
    assert scope["TABLE"] == [row(spec)]


def test_the_stand_in_refuses_what_is_not_documented() -> None:
    world = World()
    comp = world.project.create("baseCOMP", "c")
    page = comp.appendCustomPage("P")
    with pytest.raises(TdError):
        page.appendFloat("noise_scale")
    with pytest.raises(AttributeError):
        page.appendNumber("Noise")
    with pytest.raises(AttributeError):
        page.appendFloat("Noise")[0].minimum = 1
    with pytest.raises(AttributeError):
        comp.create("oscoutDAT", "o").par.netaddress = "127.0.0.1"
