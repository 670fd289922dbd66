#!/usr/bin/env bash
# Say of a job whether it is running (or waits), a success or failed.
# $1: sge, pbs or lsf; $2: what the command that submitted the job printed.
set -uo pipefail

# A scheduler that does not answer tells nothing of the job: ask again. Accounts of an ended job come late,
# and never of one that was deleted before it started: that has failed if a minute brings none.
without_account() {
    local asked=".snakemake/gone-$1"
    [[ -e "$asked" ]] || touch "$asked"
    (($(date +%s) - $(stat -c %Y "$asked") > 60)) && echo failed || echo running
}

sge() {
    local said account
    if said=$(qstat -j "$1" 2>&1); then
        # a job that could not be started would wait in the queue for ever
        grep -q '^error reason' <<<"$said" && qdel "$1" >/dev/null && echo failed || echo running
    elif ! grep -q 'do not exist' <<<"$said"; then
        echo running
    elif account=$(qacct -j "$1" 2>/dev/null); then
        rm -f ".snakemake/gone-$1"
        # a job that was started again has several accounts, the last one counts
        awk '$1 == "failed" { failed = $2 } $1 == "exit_status" { code = $2 }
            END { print failed || code ? "failed" : "success" }' <<<"$account"
    else
        without_account "$1"
    fi
}

pbs() {
    local said state code
    said=$(qstat -xf "$1" 2>&1)
    state=$(sed -n 's/^ *job_state = //p' <<<"$said")
    code=$(sed -n 's/^ *Exit_status = //p' <<<"$said")
    case "$state" in
        F | C) [[ "$code" == 0 ]] && echo success || echo failed ;;
        "") grep -qi 'unknown job' <<<"$said" && echo failed || echo running ;;
        *) echo running ;;
    esac
}

lsf() {
    local id state
    id=$(grep -oE '[0-9]+' <<<"$1" | head -n 1)
    state=$(bjobs -noheader -o stat "$id" 2>&1)
    case "$state" in
        DONE) echo success ;;
        EXIT | *'not found'*) echo failed ;;
        *) echo running ;;
    esac
}

"$1" "$2"
