@echo off
rem Set up, then run the tests: `tools\test.cmd [PYTEST OPTIONS]`, as in `tools\test.cmd -m slow`.
setlocal
rem The tests' tensors are small: threads that wait for each other cost more than they do, ten times so on a busy machine.
if not defined OMP_NUM_THREADS set OMP_NUM_THREADS=1
"%~dp0setup.cmd" -m pytest %*
