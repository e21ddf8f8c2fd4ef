#!/usr/bin/env bash
# Checks the Python package: format and lints of its Rust, then it is installed into an environment of its own as
# `pip install ./bindings/python` does, and its tests run, the examples among them. With IMPASTO_TEST_RAY=1 also that of
# examples/ray_batch.py on a cluster of two nodes, for which Ray is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$PWD/target/python-venv
# Kept from run to run, as the main crate's.
export CARGO_TARGET_DIR=$PWD/target/python

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
export PYO3_PYTHON=$venv/bin/python
(
    cd bindings/python
    cargo fmt --check
    cargo clippy --locked -- --deny warnings
)
"$venv/bin/pip" install --quiet './bindings/python[test]' ${IMPASTO_TEST_RAY:+'ray[data]'}
"$venv/bin/python" -m unittest discover --start-directory bindings/python/tests
"$venv/bin/python" bindings/python/examples/scipy_lbfgs.py demo/content.png demo/style.jpg target/python-scipy.png \
    --size 48 --steps 5
