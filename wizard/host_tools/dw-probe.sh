#!/bin/sh
# dw-probe: what a connection from here meets, without any tool but bash and timeout.
#   dw-probe SECONDS ADDRESS PORT [ADDRESS PORT …]
# Prints a line for each, in any order: ADDRESS PORT open|refused|filtered
set -u
seconds=${1:?seconds}
shift

one() {
    # shellcheck disable=SC2016
    said=$(LC_ALL=C timeout "$seconds" bash -c ': <"/dev/tcp/$1/$2"' dw-probe "$1" "$2" 2>&1)
    case $? in
    0) echo "$1 $2 open" ;;
    *) case $said in *refused*) echo "$1 $2 refused" ;; *) echo "$1 $2 filtered" ;; esac ;;
    esac
}

command -v bash >/dev/null || { echo "dw-probe: bash is missing" >&2; exit 3; }
while [ $# -ge 2 ]; do
    one "$1" "$2" &
    shift 2
done
wait
