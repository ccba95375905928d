"""Experience with each system: the manual's table, and the doctor's line about the system that it runs on.

A cell begins with one of KINDS; after a colon follows the means, or what is missing.
"""

from __future__ import annotations

KINDS = {
    "independent": "with programs that others wrote",
    "tried": "it ran, with itself on the other side",
    "in part": "some of it ran",
    "stand-in": "with a program of ours in place of the real thing, made by its documents",
    "not yet": "neither",
    "-": "there is none on that system",
}
SYSTEMS = {"linux": "Linux", "wine": "Windows under Wine", "win32": "Windows", "darwin": "macOS"}  # by sys.platform, but for Wine
SEEN = (
    ("set-up and demo", "tried: Python 3.11 and 3.13", "tried: in a .venv made by hand", "not yet", "not yet"),
    ("the tests", "tried", "in part: 21 of its 22 parts at one commit, 3739 passed and 531 skipped", "not yet", "not yet"),
    ("`tiny` on a CPU", "tried", "tried", "not yet", "not yet"),
    ("NDI", "independent: OBS 29, cyndilib", "tried: on one machine", "not yet", "not yet"),
    (
        "OSC",
        "independent: Pure Data, SuperCollider, Csound, QLC+, node-osc",
        "independent: python-osc, on Windows and from Linux",
        "not yet",
        "not yet",
    ),
    ("OSCQuery", "independent: Chromium, npm's oscquery", "tried", "not yet", "not yet"),
    ("Chataigne and ossia score", "not yet", "not yet", "not yet", "not yet"),
    ("MIDI ports", "independent: JACK", "in part: there are none, and it waits for one", "not yet", "not yet"),
    ("light desks", "independent: QLC+ 4.12, OLA 0.10, sacn and stupidArtnet of Python", "not yet", "not yet", "not yet"),
    ("MIDI controllers", "stand-in", "not yet", "not yet", "not yet"),
    ("Spout", "-", "in part: senders are found, pictures do not pass (else stand-in)", "not yet", "-"),
    ("cameras", "stand-in: libavdevice's lavfi", "not yet", "not yet", "not yet"),
    ("screens", "tried: on Xvfb", "not yet", "not yet", "not yet"),
    ("windows on a monitor", "tried: on Xvfb", "not yet", "not yet", "not yet"),
    ("virtual cameras", "stand-in: a file in place of v4l2loopback", "not yet", "not yet", "not yet"),
    ("Syphon", "-", "-", "-", "not yet"),
    ("CUDA with CuPy and Triton", "stand-in: Triton's interpreter", "not yet", "not yet", "-"),
    ("all models but `tiny` with real weights", "stand-in: random weights of their shapes", "not yet", "not yet", "not yet"),
    ("OBS Studio", "independent: OBS 29 with obs-ndi", "not yet", "not yet", "not yet"),
    ("TouchDesigner", "stand-in", "not yet", "not yet", "not yet"),
    ("Resolume", "stand-in", "not yet", "not yet", "not yet"),
    ("TouchOSC", "stand-in: its file format", "not yet", "not yet", "not yet"),
    ("metrics", "independent: Prometheus", "tried", "not yet", "not yet"),
    ("start with the machine", "in part: systemd verifies the unit", "in part: schtasks takes the task", "not yet", "not yet"),
    ("Docker", "not yet", "-", "not yet", "-"),
)


def markdown() -> str:
    """The table as the manual holds it."""
    rows = [("what", *SYSTEMS.values()), ("---",) * (1 + len(SYSTEMS)), *SEEN]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def on(system: str) -> str:
    """One line about a system, by its key in SYSTEMS: the parts of a show that were not, or not fully, seen working there."""
    if system == "win32":
        return f"on Windows itself nothing yet; {on('wine')}"
    column = 1 + list(SYSTEMS).index(system)
    kinds = {kind: ", ".join(row[0].replace("`", "") for row in SEEN if row[column].startswith(kind)) for kind in KINDS}
    if not any(kinds[kind] for kind in ("independent", "tried", "in part")):
        return f"on {SYSTEMS[system]} nothing yet"
    said = [f"{kind}: {kinds[kind]}" for kind in ("in part", "stand-in", "not yet") if kinds[kind]]
    return f"on {SYSTEMS[system]} most was seen working; {'; '.join(said)}"
