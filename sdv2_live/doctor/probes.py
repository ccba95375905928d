"""The table of all probes, in the order of the report."""

from __future__ import annotations

from sdv2_live.doctor.devices import look_devices
from sdv2_live.doctor.group import look_group
from sdv2_live.doctor.light_desks import look_dmx
from sdv2_live.doctor.link import look_link
from sdv2_live.doctor.luts import look_luts
from sdv2_live.doctor.machine import look_attention, look_cupy, look_system, look_torch
from sdv2_live.doctor.midi import look_midi
from sdv2_live.doctor.model import look_model
from sdv2_live.doctor.network import look_discovery, look_ndi, look_osc, look_oscquery
from sdv2_live.doctor.probe import Probe
from sdv2_live.doctor.sound import look_sound
from sdv2_live.doctor.spout import look_spout

# Times are generous: a cold disk loads torch in half a minute, a large model in minutes.
PROBES = (
    Probe(("python", "seen", "disk", "prompt_cache"), look_system, 30, "a disk does not answer: check network drives"),
    Probe(("torch", "cuda", "gpu"), look_torch, 120, "the GPU's driver does not answer: restart the machine"),
    Probe(("cupy",), look_cupy, 60, "the GPU's driver does not answer: restart the machine"),
    Probe(("attention",), look_attention, 120, "the GPU's driver does not answer: restart the machine"),
    Probe(("ranks",), look_group, 120, "a card does not answer another: restart the machine, or set model.gpus to 1"),
    Probe(("ndi_library", "ndi_loopback"), look_ndi, 60, "NDI does not answer: reinstall ndi-python, check the firewall"),
    Probe(("spout",), look_spout, 60, "the graphics driver does not answer: restart the machine"),
    Probe(
        ("cameras", "monitors", "windows", "virtual_camera"),
        look_devices,
        60,
        "a device's driver does not answer: unplug it, or restart the machine",
    ),
    Probe(("luts",), look_luts, 60, "a disk does not answer: check network drives"),
    Probe(("sound",), look_sound, 60, "a sound driver does not answer: restart the sound server, or set audio.source: ndi"),
    Probe(("link",), look_link, 30, "Ableton Link does not answer: reinstall LinkPython-extern"),
    Probe(("midi",), look_midi, 30, "a MIDI driver does not answer: unplug the controllers, or restart the machine"),
    Probe(("light_desks",), look_dmx, 30, "name service does not answer: set dmx.interface to an address"),
    Probe(("discovery",), look_discovery, 60, "name service does not answer: give addresses in ndi.extra_ips"),
    Probe(("osc_port",), look_osc, 30, "name service does not answer: set osc.host to an address"),
    Probe(("oscquery_port",), look_oscquery, 30, "name service does not answer: set osc.host to an address"),
    Probe(
        ("weights", "memory", "speed", "engine"),
        look_model,
        600,
        "a smaller model or video.size; sdv2-live run shows where it stops",
    ),
)
