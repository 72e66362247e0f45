#!/bin/sh
# dw-deadman: undoes a change by itself unless somebody confirms in time that it is right.
#   dw-deadman arm NAME SECONDS   script that reverts on standard input
#   dw-deadman confirm NAME       fails if the time was over
#   dw-deadman status NAME        absent | armed LEFT | confirmed | reverted CODE
set -eu
umask 077
root=${DW_ROOT:-/var/lib/dokploy-wizard}/deadman
verb=${1:?verb} name=${2:?name}
case $name in *[!A-Za-z0-9._-]* | .*) echo "dw-deadman: bad name" >&2; exit 2 ;; esac
dir=$root/$name

case $verb in
arm)
    seconds=${3:?seconds}
    mkdir -p "$root"
    incoming=$(mktemp -d "$root/.incoming.XXXXXX")
    cat >"$incoming/revert"
    # A revert in progress must end before the next change may begin.
    if [ -d "$dir/armed" ] || [ -d "$dir/reverting" ]; then
        rm -rf "$incoming"
        echo "dw-deadman: armed already" >&2
        exit 3
    fi
    rm -rf "$dir"
    mkdir "$incoming/armed"
    echo $(($(date +%s) + seconds)) >"$incoming/until"
    mv "$incoming" "$dir"
    # Renaming "armed" decides between the timer and the confirmation: only one of them can.
    # shellcheck disable=SC2016
    setsid nohup sh -c '
        cd "$1"
        sleep "$2"
        mv armed reverting 2>/dev/null || exit 0
        sh ./revert >log 2>&1 </dev/null && code=0 || code=$?
        echo "$code" >code
        mv reverting reverted
    ' dw-deadman "$dir" "$seconds" >/dev/null 2>&1 </dev/null &
    echo armed
    ;;
confirm)
    if [ -d "$dir/confirmed" ]; then exit 0; fi
    mv "$dir/armed" "$dir/confirmed" 2>/dev/null || { echo "dw-deadman: not armed" >&2; exit 4; }
    ;;
status)
    if [ -d "$dir/confirmed" ]; then echo confirmed
    elif [ -d "$dir/reverted" ]; then echo "reverted $(cat "$dir/code")"
    elif [ -d "$dir/reverting" ]; then echo "armed 0"
    elif [ -d "$dir/armed" ]; then
        left=$(($(cat "$dir/until") - $(date +%s)))
        echo "armed $((left > 0 ? left : 0))"
    else echo absent; fi
    ;;
*) echo "dw-deadman: unknown verb $verb" >&2; exit 2 ;;
esac
