#!/usr/bin/env bash
# Make a virtual environment with the tested versions and refvos.
#
#   tools/setup_env.sh [VENV]          (default: .venv)
#
# PYTHON       interpreter that makes the environment (default: python3)
# MMINSTALL    which OpenMMLab packages: a file of requirements
#              (default: requirements/mminstall.txt, the maintained forks)
# REFVOS_CACHE folder that keeps the built mmcv wheel
#              (default: ${XDG_CACHE_HOME:-$HOME/.cache}/refvos)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
base_python=${PYTHON:-python3}
mminstall=${MMINSTALL:-requirements/mminstall.txt}
started=$(date +%s)

say() { printf '[setup %4ds] %s\n' $(($(date +%s) - started)) "$*"; }
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

"$base_python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$base_python is $("$base_python" -V 2>&1); Python 3.10 or newer is needed (set PYTHON=...)"
for tool in gcc g++ git; do
    command -v "$tool" >/dev/null || die "$tool is not on PATH; mmcv is compiled with it"
done

if [ ! -x "$venv/bin/python" ]; then
    say "virtual environment in $venv"
    "$base_python" -m venv "$venv"
fi
python=$venv/bin/python
pip() { "$python" -m pip --disable-pip-version-check "$@"; }

say "torch, torchvision, torchaudio (a few GB, usually 2 to 5 minutes)"
pip install --quiet --progress-bar off -r requirements/torch.txt
pip install --quiet --progress-bar off 'setuptools>=77,<81' wheel ninja packaging psutil
say "packages that refvos needs"
pip install --quiet --progress-bar off -r requirements/runtime.txt

# An mmcv wheel works only with the torch and Python it was built against;
# pip's own cache does not know that, so ours carries both in its name.
mmcv=$(grep -E '^(onedl-)?mmcv==' "$mminstall")
mmcv_package=${mmcv%%==*}
tag=$("$python" -c 'import platform, sys, torch; print(
    f"torch{torch.__version__}-cp{sys.version_info[0]}{sys.version_info[1]}"
    f"-{platform.machine()}")')
cache=${REFVOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/refvos}/wheels/$tag
mmcv_works() { "$python" -c 'import mmcv.ops' >/dev/null 2>&1; }

install_mmcv_wheel() {
    local wheel
    wheel=$(ls "$cache/${mmcv_package//-/_}-${mmcv##*==}"-*.whl 2>/dev/null | head -n 1)
    [ -n "$wheel" ] || return 1
    say "mmcv from $wheel"
    pip install --quiet --progress-bar off --force-reinstall --no-deps "$wheel"
    pip install --quiet --progress-bar off -r "$mminstall" -r requirements/runtime.txt
    mmcv_works || { say "this wheel does not import; building it again"; rm -f "$wheel"; return 1; }
}

build_mmcv_wheel() {
    mkdir -p "$cache"
    local out log
    out=$(mktemp -d "$cache/build.XXXXXX")
    log=$out/build.log
    say "compiling $mmcv for $tag (about 7 minutes on 2 cores)"
    # The log goes to a file; a line a minute shows that it is alive.
    (while sleep 60; do say "still compiling mmcv"; done) &
    local ticker=$!
    if ! MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} pip wheel \
        --no-build-isolation --no-cache-dir --no-deps --no-binary "$mmcv_package" \
        --wheel-dir "$out" "$mmcv" >"$log" 2>&1; then
        kill "$ticker"
        tail -n 40 "$log" >&2
        die "mmcv did not compile; the whole log is $log"
    fi
    kill "$ticker"
    mv "$out"/*.whl "$cache"/
    rm -rf "$out"
}

if ! mmcv_works; then
    install_mmcv_wheel || { build_mmcv_wheel; install_mmcv_wheel; } ||
        die "mmcv.ops does not import: $("$python" -c 'import mmcv.ops' 2>&1 | tail -n 1)"
fi
say "OpenMMLab packages, test tools, Sphinx, refvos itself"
pip install --quiet --progress-bar off -r "$mminstall" \
    -r requirements/runtime.txt -r requirements/tests.txt -r requirements/docs.txt
pip install --quiet --progress-bar off --no-build-isolation --no-deps -e .
# yapf, with which mmengine prints configs, writes a cache at its first import;
# the processes of a first distributed run would write it at the same time.
"$python" -c 'import mmcv.ops, mmdet, refvos, yapf; print(
    f"[setup] mmcv {mmcv.__version__}, mmdet {mmdet.__version__}, "
    f"refvos {refvos.__version__}")'
say "ready"
