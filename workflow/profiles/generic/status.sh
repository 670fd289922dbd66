#!/usr/bin/env bash
# Say of a PBS job whether it is running, a success or failed. $1: what qsub printed.
set -uo pipefail
state=$(qstat -xf "$1" 2>/dev/null | sed -n 's/^ *job_state = //p')
code=$(qstat -xf "$1" 2>/dev/null | sed -n 's/^ *Exit_status = //p')
case "$state" in
    F | C) [[ "$code" == 0 ]] && echo success || echo failed ;;
    "") echo failed ;;
    *) echo running ;;
esac
