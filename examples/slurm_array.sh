#!/bin/bash
# Many photographs in one style on a cluster, by a job array of Slurm: each task takes its share of a list.
#
#   ls "$PWD"/photographs/*.jpg > list.txt
#   sbatch --array=0-9 examples/slurm_array.sh list.txt painting.jpg results --size 1024
#
# Options behind the folder go to `impasto stylize`. Submitted once more, it goes on where it was ended: results that are
# there are skipped, and a picture at work is resumed from its checkpoint. Without Slurm, to try it:
#
#   SRUN= SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=10 examples/slurm_array.sh list.txt painting.jpg results
#SBATCH --job-name=impasto
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
# SIGTERM two minutes before the end, to the picture at work: its checkpoint is written.
#SBATCH --signal=TERM@120
set -euo pipefail

list=$1 style=$2 results=$3
shift 3
task=${SLURM_ARRAY_TASK_ID:?is set by sbatch --array}
tasks=${SLURM_ARRAY_TASK_COUNT:?is set by sbatch --array}
first=${SLURM_ARRAY_TASK_MIN:-0} last=${SLURM_ARRAY_TASK_MAX:-}
threads=${SLURM_CPUS_PER_TASK:-0}
# Otherwise photographs would be passed over without a word.
if [ -n "$last" ] && [ $((last - first + 1)) -ne "$tasks" ]; then
    echo "slurm_array.sh: expected tasks without gaps, such as --array=0-9, found $tasks of $first to $last" >&2
    exit 2
fi
same=$(sed 's,.*/,,' "$list" | sed '/^$/d' | sort | uniq -d)
if [ -n "$same" ]; then
    echo "slurm_array.sh: several photographs would have one result: ${same//$'\n'/, }" >&2
    exit 2
fi
mkdir -p "$results"

failed=0 number=0
while IFS= read -r photograph || [ -n "$photograph" ]; do
    number=$((number + 1))
    if [ -z "$photograph" ] || [ $(((number - 1) % tasks)) -ne $((task - first)) ]; then continue; fi
    # With its extension, as there may be a .jpg and a .png of one name.
    result=$results/$(basename "$photograph").png
    checkpoint=$result.checkpoint
    if [ -e "$checkpoint" ]; then
        work=(resume "$checkpoint" --threads "$threads")
    elif [ -e "$result" ]; then
        continue
    else
        work=(stylize "$photograph" "$style" -o "$result" --checkpoint "$checkpoint" --threads "$threads" "$@")
    fi
    code=0
    # shellcheck disable=SC2086 # none where SRUN is empty
    ${SRUN-srun} "${IMPASTO:-impasto}" "${work[@]}" </dev/null || code=$?
    # By a signal: the time is over.
    if [ "$code" -ge 128 ]; then exit "$code"; fi
    # One photograph that can't be made doesn't stop the others.
    if [ "$code" -ne 0 ]; then failed=1; fi
done <"$list"
exit "$failed"
