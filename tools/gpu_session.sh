#!/usr/bin/env bash
# All that a machine with an NVIDIA GPU has to confirm, in under ten minutes: `bash tools/gpu_session.sh [FOLDER]`.
#
# Tests marked gpu, the reference cases on CUDA, CPU against GPU, the bench at both sizes, with both autoencoders, with and
# without CUDA graphs, and the latency of the daemon with and without overlapping chunks, and with frames encoded as they come.
# Each step goes on when another fails. Logs, one JSON a bench and a table (results.md) are left in FOLDER (default: out/gpu).
# Needs nothing downloaded: the weights are synthetic, but for the embedded tiny model.
# COMPARE=PYTHON also times the package streamdiffusionv2 of that interpreter (tools/benchmarks.md says how to install it).
set -u
cd "$(dirname "$0")/.."
folder=${1:-out/gpu}
python=${PYTHON:-.venv/bin/python}
seconds=${SECONDS_EACH:-6}
mkdir -p "$folder"
failed=()

step() { # NAME COMMAND...: at most 150 seconds, its output in FOLDER/NAME.log
    local name=$1 begin=$SECONDS
    shift
    if timeout 150 "$@" >"$folder/$name.log" 2>&1; then
        echo "ok      $name ($((SECONDS - begin)) s)"
    else
        failed+=("$name")
        echo "FAILED  $name ($((SECONDS - begin)) s): $(tail -n 1 "$folder/$name.log")"
    fi
}

bench() { # NAME OPTIONS...: the JSON goes to FOLDER/NAME.json
    local name=$1
    shift
    step "$name" bash -c '"$0" tools/bench.py --model 1.3b --device cuda --json "${@:2}" >"$1.part" && mv "$1.part" "$1"' \
        "$python" "$folder/$name.json" --seconds "$seconds" "$@"
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv >"$folder/card.txt" 2>&1
"$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())' >>"$folder/card.txt" 2>&1

step tests "$python" -m pytest -m gpu -q
step parity "$python" tools/parity.py tests/golden --device cuda
step cpu_and_gpu "$python" tools/bench/gpu_compare.py
for size in 480x832 512x512; do
    for vae in taehv wan; do
        bench "$size-$vae-graphs" --size $size --vae $vae
        bench "$size-$vae-no-graphs" --size $size --vae $vae --set engine.cuda_graphs=off
        bench "$size-$vae-overlap" --size $size --vae $vae --overlap
    done
done
for overlap in on off; do # the whole daemon, from NDI to NDI
    step "live-overlap-$overlap" "$python" tools/bench.py --live latency --model tiny --device cuda --size 512x512 --seconds 15 \
        --set "engine.overlap=$overlap"
done
step "live-encode-ahead" "$python" tools/bench.py --live latency --model tiny --device cuda --size 512x512 --seconds 15 \
    --set engine.encode_ahead=on
bench "480x832-wan-autotune" --size 480x832 --vae wan --autotune
if [ -n "${COMPARE:-}" ]; then
    bench "480x832-wan-compare" --size 480x832 --vae wan --compare "$COMPARE"
fi
"$python" tools/bench/gpu_table.py "$folder" >"$folder/results.md"
cat "$folder/card.txt" "$folder/results.md"
echo "failed: ${failed[*]:-nothing}"
[ ${#failed[@]} -eq 0 ]
