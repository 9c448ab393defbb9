#!/usr/bin/env bash
# Check the fast paths against the plain ones on a GPU and print what each stage takes: under nine minutes.
# Wheels that the machine lacks may lie in .whl/ (decord, av, faiss-cpu, scenedetect); OUT takes the results as well.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
if compgen -G ".whl/*.whl" >/dev/null; then "$PYTHON" -m pip install --quiet --no-deps --no-index .whl/*.whl; fi
export PYTHONPATH="$PWD"
nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
timeout 240 "$PYTHON" -m pytest -q -p no:cacheprovider tests/compress/test_projector.py tests/compress/test_golden.py
timeout 120 "$PYTHON" benchmarks/compress.py || echo "benchmarks/compress.py did not end well"
timeout 180 "$PYTHON" benchmarks/gpu.py
if [ -n "${OUT:-}" ]; then cp benchmarks/results/*gpu*.json "$OUT"/; fi
