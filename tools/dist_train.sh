#!/usr/bin/env bash
# Train with several processes: one per GPU, or on the CPU without GPUs.
#
#   tools/dist_train.sh CONFIG GPUS [arguments of train.py]
#
# Several machines: run it on each with NNODES, NODE_RANK (0, 1, ...),
# MASTER_ADDR (the first machine) and PORT set; GPUS is per machine. On one
# machine, a free port is taken unless PORT is set.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
config=$1
gpus=$2

# torchrun would set the same, with a warning.
if [ "$gpus" != 1 ]; then
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
fi

port=${PORT:-0}
if [ "${NNODES:-1}" != 1 ]; then
    port=${PORT:-29500}
fi

exec "${PYTHON:-python}" "$(dirname "$0")/dist_launch.py" \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="$port" \
    --nproc-per-node="$gpus" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
