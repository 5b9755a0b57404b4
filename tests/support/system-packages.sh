#!/bin/sh
# Brings in what the tests need beyond Python: a C compiler (the slow-fsync shim) and the locale vi_VN.UTF-8.
set -eu
missing=""
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
locale -a 2>/dev/null | grep -qi '^vi_VN\.utf-\{0,1\}8$' || missing="$missing locales"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # shellcheck disable=SC2086 # the list is words on purpose
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $missing >/dev/null
    command -v localedef >/dev/null && localedef -i vi_VN -f UTF-8 vi_VN.UTF-8 || true
elif [ -n "${CI:-}" ]; then
    echo "The tests need:$missing. Install them, or run as root where apt-get is." >&2
    exit 2
else
    echo "Left out without:$missing (the slow-fsync and locale tests). Install them to run everything." >&2
fi
