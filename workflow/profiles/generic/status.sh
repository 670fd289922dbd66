#!/usr/bin/env bash
# Print the status of a Grid Engine job: running (or waiting), success or failed.
# $1: the job's number, as qsub -terse printed it.
set -uo pipefail

# The accounts of a finished job appear late, and those of a job that was deleted before it started never
# appear. So a job without accounts has failed after a minute.
without_account() {
    local first_asked=".snakemake/gone-$1"
    [[ -e "$first_asked" ]] || touch "$first_asked"
    (($(date +%s) - $(stat -c %Y "$first_asked") > 60)) && echo failed || echo running
}

if answer=$(qstat -j "$1" 2>&1); then
    # a job that could not be started would stay in the queue forever
    grep -q '^error reason' <<<"$answer" && qdel "$1" >/dev/null && echo failed || echo running
elif ! grep -q 'do not exist' <<<"$answer"; then
    echo running # the scheduler does not answer: ask again later
elif account=$(qacct -j "$1" 2>/dev/null); then
    rm -f ".snakemake/gone-$1"
    # a job that was started again has several accounts, the last one counts
    awk '$1 == "failed" { failed = $2 } $1 == "exit_status" { code = $2 }
        END { print failed || code ? "failed" : "success" }' <<<"$account"
else
    without_account "$1"
fi
