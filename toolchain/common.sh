# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.
set -euo pipefail

# Debian's own programs come first: another python3 or cmake in PATH may lack Debian's modules.
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export PATH
unset CDPATH

lf_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034
lf_build=${LF_BUILD_ROOT:-$lf_source/build}
# shellcheck disable=SC2034
lf_cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/labferry

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$@"; exit 1; }

# usage_of FILE: prints the comment block at the head of a script, as its help.
usage_of() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"; }

# quietly WHAT COMMAND...: prints one line if the command succeeds, and its complete output if it fails.
quietly() {
    local what=$1 log started=$SECONDS status=0
    shift
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -eq 0 ]; then
        say "  $what: done ($((SECONDS - started)) s)"
    else
        cat "$log" >&2
        warn "$what: failed with exit status $status, see above"
    fi
    rm -f "$log"
    return "$status"
}

# with_retries WHAT COMMAND...: tries four times; a mirror in mid-sync or a busy lock recovers in a minute or two.
with_retries() {
    local what=$1 wait
    shift
    for wait in 5 20 60 0; do
        "$@" && return
        [ "$wait" -gt 0 ] || break
        warn "$what failed; retrying in $wait s, since a mirror in mid-sync or a busy lock recovers by itself"
        sleep "$wait"
    done
    return 1
}
