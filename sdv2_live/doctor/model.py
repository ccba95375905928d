"""Probes of the model: are its weights there, and does it paint?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from sdv2_live.config.schema import Config, InputConfig, OscConfig, OutputConfig
from sdv2_live.config.schema_files import StateConfig
from sdv2_live.doctor.probe import Check, Status, fail, ok, warn
from sdv2_live.engine.spec import frames_of
from sdv2_live.errors import Sdv2Error
from sdv2_live.system.clock import monotonic

RUN_S = 1.0
FAILURES = 3


def look_model(config: Config) -> Iterator[Check]:
    """weights, memory, speed, engine."""
    from sdv2_live.pipeline.build import chosen_profile

    try:
        name = chosen_profile(config).name
    except Sdv2Error as error:
        yield fail("weights", str(error), "see cuda")
        yield fail("memory", "not reckoned", "see cuda")
        yield fail("speed", "not reckoned", "see cuda")
        yield fail("engine", "not tried", "see cuda")
        return
    found = weights(config, name)
    yield found
    enough = memory(config)
    yield enough
    yield speed(config)
    if found.remedy or enough.status is Status.FAIL:
        config = config.replaced(model=config.model.model_copy(update={"profile": "tiny", "vae": "auto", "dtype": "auto"}))
    yield engine(config)


def memory(config: Config) -> Check:
    """Is there room for what the configuration asks for?"""
    from sdv2_live.memory.budget import GB, plan
    from sdv2_live.memory.fit import affordable, chosen_placement, free_bytes, savings_of, wish_of
    from sdv2_live.model.load import choose_device
    from sdv2_live.pipeline.build import chosen_profile

    device, chosen = choose_device(config.model.device), chosen_profile(config)
    free = free_bytes(device)
    asked = replace(wish_of(config, chosen, device), text=chosen_placement(config, chosen, device, free))
    wish = affordable(asked, free)
    needed = plan(wish).total
    detail = f"{chosen.name} needs {needed / GB:.1f} GB, {free / GB:.1f} GB free on {device}, text encoder {wish.text}"
    detail += ", no room for CUDA graphs" if wish != asked else ""
    if needed > free:
        ways = f"close what else uses it; {savings_of(wish)}; or --fit"
        return warn("memory", detail, ways) if config.model.fit else fail("memory", detail, ways)
    return ok("memory", detail)


def speed(config: Config) -> Check:
    """Is the card reckoned to paint at a live rate?"""
    from sdv2_live.cost.cards import card_of
    from sdv2_live.cost.choice import LIVE, choices, fps_on, live, rate_of, told
    from sdv2_live.memory.fit import wish_of
    from sdv2_live.model.load import choose_device
    from sdv2_live.pipeline.build import chosen_profile

    device, chosen = choose_device(config.model.device), chosen_profile(config)
    if device.type != "cuda" or chosen.files is None:
        return ok("speed", f"reckoned for a GPU alone; {chosen.name} on {device}: see engine")
    card, wish = card_of(device), wish_of(config, chosen, device)
    vaes, sizes = choices(config, config, wish)
    got = live(fps_on(card), wish, vaes=vaes, sizes=sizes)
    if rate_of(card, got).fps < LIVE:
        return warn(
            "speed", told(card, got), f"fewer steps, a faster model.vae or a smaller video.size; {LIVE:.0f} are a live rate"
        )
    return ok("speed", told(card, got))


def weights(config: Config, name: str) -> Check:
    """Are the files of the profile there and whole, as far as can be seen without reading them?"""
    from sdv2_live.config.profiles import find_profile
    from sdv2_live.model.load_text import EMBEDDED
    from sdv2_live.model.vae_choice import vae_there
    from sdv2_live.weights.catalog import TEXTS, needed
    from sdv2_live.weights.local import Folder, State

    profile = find_profile(name, config.model.profiles_dir)
    if profile.files is None:
        if EMBEDDED.is_file():
            return ok("weights", f"{name}: part of the package")
        return warn("weights", f"{name}: {EMBEDDED} is missing, its weights are random", "install sdv2-live again")
    folder = Folder(config.model.weights_dir)
    vae = vae_there(profile, config.model.vae, config.model.weights_dir)
    lacking: list[str] = []
    for text in TEXTS:  # any one text encoder will do
        states = {file.name: folder.state(file) for file in needed(profile, vae, text)}
        bad = [f"{file} {state}" for file, state in states.items() if state in (State.MISSING, State.DAMAGED)]
        if not bad:
            return ok("weights", f"{name}: all files in {folder.path}; to read them whole: sdv2-live weights check")
        lacking = lacking or bad
    return fail("weights", f"{name} in {folder.path}: {', '.join(lacking)}", f"fetch them: sdv2-live weights download {name}")


def engine(config: Config) -> Check:
    """Paint the test card for a second, or a chunk where that takes longer: the whole daemon, without network.

    What a show measures at its start is measured here, too: the small model's size on this CPU, and its precision.
    """
    from sdv2_live.model.load import choose_device
    from sdv2_live.pipeline.build import chosen_profile
    from sdv2_live.show.show import Show
    from sdv2_live.worker.host import InlineEngine

    config = config.replaced(
        input=InputConfig(source="test:480x832"),
        output=OutputConfig(sink=("none",)),
        osc=OscConfig(enabled=False),
        state=StateConfig(dir="off"),
        engine=config.engine.model_copy(update={"process": "inline"}),  # a fault shall be told, not overcome
    )
    try:
        with Show(config) as show:
            first: list[tuple[float, int]] = []  # when chunks began to come, and how many there were

            def counted(name: str) -> int:
                return show.counters.snapshot().get(name, 0)

            def stopped(_: float) -> bool:
                time.sleep(0.02)
                if not first and counted("chunks") > 1:  # the first one also warms up
                    first.append((monotonic(), counted("chunks")))
                enough = bool(first) and monotonic() - first[0][0] >= RUN_S and counted("chunks") > first[0][1]
                return enough or counted("engine_failures") >= FAILURES

            show.run(stopped, lambda _: None)
            if not first:
                return fail("engine", f"{counted('engine_failures')} chunks failed", "the reason is in the log of: sdv2-live run")
            frames = frames_of(chosen_profile(config).stream.block, first=False)
            fps = (counted("chunks") - first[0][1]) * frames / (monotonic() - first[0][0])
            height, width = (isinstance(show.engine, InlineEngine) and show.engine.size) or (0, 0)
            how = f"at {height}x{width} in {show.engine.state().kernels['precision']}"
            what = f"{chosen_profile(config).name} on {choose_device(config.model.device)}"
            return ok("engine", f"{what}: {fps:.1f} frames a second {how}")
    except Sdv2Error as error:
        return fail("engine", str(error), "see weights, gpu and the configuration")
