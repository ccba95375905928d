"""The inputs of a show, as configured: the main one and its substitutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from fractions import Fraction

from sdv2_live.config.choices import OnLost
from sdv2_live.config.schema import Config
from sdv2_live.engine.spec import Mode
from sdv2_live.io.base import Source
from sdv2_live.io.open import open_source
from sdv2_live.io.synthetic import BlackSource
from sdv2_live.io.texture import TextureSource
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_policy import Policy
from sdv2_live.stats import Counters

TEST_RATE = Fraction(30)  # of the test card
TEXT_SIZE = (256, 256)  # of text mode's pictures, where none is given
TEXT_RATE = Fraction(16)  # frames per second the models were trained at; text mode has no input to set the pace


def guarded(
    config: Config,
    own: Sequence[str],
    counters: Counters,
    select: Callable[[], str],
    on_held: Callable[[bool], None],
) -> Failover:
    """The main input with its substitutes; see Failover.

    Text mode reads no input: black frames at the training rate are its clock.

    Args:
        own: NDI names of the show's own outputs.

    Raises:
        VideoError: an input cannot be opened; then none is left open.
    """
    given = config.input
    if config.engine.mode is Mode.TEXT:
        return Failover(BlackSource(*(config.video.size or TEXT_SIZE), TEXT_RATE), Policy(), counters)
    policy = Policy(
        on_lost=given.on_lost,
        lost_s=given.lost_s,
        frozen_s=given.frozen_s,
        black_s=given.black_s,
        return_s=given.return_s,
        fade_s=given.fade_s,
    )
    with ExitStack() as opened:
        main = opened.enter_context(_open(config, given.source, own))
        backup = opened.enter_context(_open(config, given.backup, own)) if given.backup else None
        opened.pop_all()
    return Failover(
        main,
        policy,
        counters,
        backup=backup,
        texture=TextureSource() if policy.on_lost is OnLost.TEXT else None,
        select=select,
        on_held=on_held,
    )


def _open(config: Config, spec: str, own: Sequence[str], rate: Fraction = TEST_RATE) -> Source:
    return open_source(
        spec,
        ndi=config.ndi.settings,
        receiver_timeout_s=config.ndi.receiver_timeout_s,
        ignore=own,
        color=config.video.color,
        rate=rate,
    )
