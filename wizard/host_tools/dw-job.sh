#!/bin/sh
# dw-job: long work that outlives the connection. A job is a folder with its script, log and exit code.
#   dw-job start NAME SIZE    script of SIZE bytes on standard input; prints started or exists
#   dw-job status NAME        absent | running SIZE | done CODE SIZE | lost SIZE (SIZE: bytes of log)
#   dw-job log NAME OFFSET    the log from byte OFFSET until the job has ended
#   dw-job stop NAME          ends the job and everything it started
#   dw-job forget NAME        puts an ended job aside, so that its name is free again
set -eu
umask 077
root=${DW_ROOT:-/var/lib/dokploy-wizard}/jobs
verb=${1:?verb} name=${2:?name}
case $name in *[!A-Za-z0-9._-]* | .*) echo "dw-job: bad name" >&2; exit 2 ;; esac
dir=$root/$name

size() { if [ -f "$dir/log" ]; then wc -c <"$dir/log" | tr -d ' '; else echo 0; fi; }

# A number may be given to another process later: the moment of its start tells them apart.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

alive() {
    [ -f "$dir/pid" ] || return 1
    read -r pid birth boot <"$dir/pid" || return 1
    [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ "$(born "$pid")" = "$birth" ]
}

fresh() { [ ! -f "$dir/pid" ] && [ -n "$(find "$dir" -prune -mmin -1 2>/dev/null)" ]; }

status() {
    if [ ! -d "$dir" ]; then echo absent
    elif [ -f "$dir/rc" ]; then echo "done $(cat "$dir/rc") $(size)"
    elif alive || fresh; then echo "running $(size)"
    # It may have ended between the two questions.
    elif [ -f "$dir/rc" ]; then echo "done $(cat "$dir/rc") $(size)"
    else echo "lost $(size)"; fi
}

start() {
    mkdir -p "$root"
    incoming=$(mktemp "$root/.incoming.XXXXXX")
    trap 'rm -f "$incoming"' EXIT
    cat >"$incoming"
    if [ "$(wc -c <"$incoming" | tr -d ' ')" != "$1" ]; then echo "dw-job: torn script" >&2; exit 3; fi
    if ! mkdir "$dir" 2>/dev/null; then echo exists; return; fi
    mv "$incoming" "$dir/run"
    : >"$dir/log"
    shell=$(command -v bash || command -v sh)
    # shellcheck disable=SC2016
    setsid nohup sh -c '
        cd "$1"
        birth=$(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20)
        echo "$$ $birth $(cat /proc/sys/kernel/random/boot_id)" >pid.new && mv pid.new pid
        "$2" ./run >log 2>&1 </dev/null && code=0 || code=$?
        sync log 2>/dev/null || sync
        echo "$code" >rc.new && mv rc.new rc
    ' dw-job "$dir" "$shell" >/dev/null 2>&1 </dev/null &
    echo started
}

log() {
    offset=$1
    [ -d "$dir" ] || { echo "dw-job: no such job" >&2; exit 4; }
    while :; do
        case $(status) in running*) ended=no ;; *) ended=yes ;; esac
        now=$(size)
        if [ "$now" -gt "$offset" ]; then
            tail -c "+$((offset + 1))" "$dir/log" | head -c "$((now - offset))"
            offset=$now
        fi
        [ "$ended" = no ] || return 0
        sleep 0.3
    done
}

case $verb in
start) start "${3:?size}" ;;
status) status ;;
log) log "${3:?offset}" ;;
stop) if alive; then kill -TERM "-$pid"; fi ;;
forget)
    case $(status) in
    running*) echo "dw-job: still running" >&2; exit 5 ;;
    absent) ;;
    *) mkdir -p "$root/.ended" && mv "$dir" "$root/.ended/$name.$(date +%s).$$" ;;
    esac
    ;;
*) echo "dw-job: unknown verb $verb" >&2; exit 2 ;;
esac
