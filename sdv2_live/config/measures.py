"""The measures that ask less of the engine, as `shed.steps` and `faults.ladder` name them.

Load shedding takes them where it is too slow, crash recovery where it does not last. Both may want the small autoencoder.
"""

from __future__ import annotations

FEWER_STEPS, SMALLER = "fewer-steps", "smaller"
SMALL_VAE = "taehv"
SMALL_VAES = (SMALL_VAE, "lighttae")  # beside either of them, that measure gains nothing
