#!/bin/sh
# dw-volume: a volume's content, byte for byte, with owners, modes, links, attributes.
#   dw-volume pack DIR       an archive on standard output; any change meanwhile is an error
#   dw-volume unpack DIR     from standard input; refuses a folder that holds anything
#   dw-volume manifest DIR   files COUNT bytes SIZE digest SHA256
#   dw-volume clear DIR      empties it
set -eu
verb=${1:?verb} dir=${2:?dir}
[ -d "$dir" ] || { echo "dw-volume: $dir is missing" >&2; exit 4; }
cd "$dir"

case $verb in
pack) exec tar --numeric-owner --xattrs --acls --sparse -cf - . ;;
unpack)
    if [ -n "$(ls -A .)" ]; then echo "dw-volume: $dir is not empty" >&2; exit 5; fi
    exec tar --numeric-owner --xattrs --xattrs-include='*' --acls -xpf -
    ;;
manifest)
    export LC_ALL=C
    count=$(find . -type f -printf x | wc -c)
    bytes=$(find . -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
    digest=$({
        find . -type f -print0 | sort -z | xargs -0r sha256sum
        find . -mindepth 1 -printf '%y %m %U:%G %p %l\n' | sort
    } | sha256sum | cut -d' ' -f1)
    echo "files $count bytes $bytes digest $digest"
    ;;
clear) find . -mindepth 1 -delete ;;
*) echo "dw-volume: unknown verb $verb" >&2; exit 2 ;;
esac
