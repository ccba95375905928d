@echo off
rem Set up, then show what sdv2-live does: `tools\demo.cmd [--seconds N]`. Ctrl-C stops it. See sdv2_live\demo.
"%~dp0setup.cmd" tools\demo.py %*
