"""MIDI controllers: a bridge process between a controller and the daemon, which it reaches by OSC only.

    mapping        one entry of a map: a control, an address, and the arithmetic between the two
    mapfile        maps as YAML files; mapentry reads one entry, mirror keeps the daemon's values
    surface        one controller: MIDI messages in, OSC messages out, lights and motors that answer. No threads, no clock.
    ports          the system's MIDI ports, and one device that may come and go
    clock_input    the MIDI clock of a port, as OSC
    bridge         the loop that joins a controller and the daemon (`control.osc.client`)
    learn          writing entries by moving controls

`mapping`, `mapfile` and `surface` need mido for its message objects; only `ports` needs python-rtmidi.
"""
