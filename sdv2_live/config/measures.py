"""The measures that ask less of the engine, as named in `shed.steps` and `faults.ladder`.

Load shedding takes them when the engine is too slow, crash recovery when it keeps crashing. Both may want the small autoencoder.
"""

from __future__ import annotations

FEWER_STEPS, SMALLER, FEWER_CARDS = "fewer-steps", "smaller", "fewer-cards"
SMALL_VAE = "taehv"
SMALL_VAES = (SMALL_VAE, "lighttae")  # beside either of them, that measure gains nothing
