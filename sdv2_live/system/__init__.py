"""Differences between operating systems, one subject a module; the rest of sdv2-live does not ask which system it runs on."""
