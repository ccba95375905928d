"""Control layouts made from the parameter table: TouchOSC, TouchDesigner, and the reference of addresses."""
