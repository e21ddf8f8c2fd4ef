#!/bin/sh
# One large picture on many machines by Slurm: each process has a band of its rows.
#
#   sbatch examples/slurm_mpi.sh photograph.jpg painting.jpg large.png
#
# The command was built with `cargo build --release --features mpi`, against the cluster's MPI. The pictures are read by the first
# process alone; the network, if it is not the embedded one, and a checkpoint to resume must be readable on every machine.
#SBATCH --job-name=impasto
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive
#SBATCH --time=08:00:00
# SIGTERM five minutes before the end: the best picture until then is written, and a checkpoint.
#SBATCH --signal=TERM@300
set -eu

content=$1 style=$2 out=$3
checkpoint=$out.checkpoint

# A job that was ended goes on when it is submitted once more.
if [ -e "$checkpoint" ]; then
    set -- resume "$checkpoint"
else
    set -- stylize "$content" "$style" --size 16384 --preset print -o "$out" --checkpoint "$checkpoint"
fi
# A process that fails or dies ends the others.
exec srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "${IMPASTO:-impasto}" "$@" --threads "${SLURM_CPUS_PER_TASK:-1}"
