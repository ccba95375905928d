@echo off
rem Make .venv ready: tools\demo.cmd and tools\test.cmd do so first, and give what its Python is to run then as arguments.
rem
rem It finds a Python and leaves the rest to tools\setup.py, which says what is installed and from where. To choose otherwise:
rem set PYTHON=C:\path\to\python.exe (interpreter), set TORCH_INDEX=https://download.pytorch.org/whl/cu132 (PyTorch's index).
setlocal
pushd "%~dp0.." || exit /b 1
set status=1

rem First the versions for which every extra has wheels. A python.exe that only leads to the Microsoft Store fails the question.
set "found="
call :try "%PYTHON%" || call :try py -3.12 || call :try py -3.11 || call :try py -3.13 || call :try py -3.14 || call :try python || call :try .venv\Scripts\python.exe
if not defined found goto none

%found% tools\setup.py
set status=%errorlevel%
if not %status%==0 goto end
if "%~1"=="" goto end
.venv\Scripts\python.exe %*
set status=%errorlevel%
goto end

:none
echo setup: Python 3.11 to 3.14, 64 bits, is needed, and none was found. Get Python 3.12 from 1>&2
echo   https://www.python.org/downloads/windows/  or by  winget install Python.Python.3.12 1>&2
echo and run this again. If it is there already: set PYTHON=C:\path\to\python.exe 1>&2

:end
popd
rem Explorer's command line, as that of no console, ends in quote, blank, quote: the window would close with what it says.
setlocal EnableDelayedExpansion
set "started=!cmdcmdline!"
if !started:~-3!==" " pause
exit /b %status%

:try
if "%~1"=="" exit /b 1
%* -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) or sys.maxsize < 2**32)" >nul 2>nul || exit /b 1
set found=%*
exit /b 0
