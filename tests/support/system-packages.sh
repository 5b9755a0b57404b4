#!/bin/sh
# Brings in what the tests need beyond Python: a C compiler (the slow-fsync shim), the locale vi_VN.UTF-8, Java and Maven
# (Kafka), PostgreSQL's server programs, and Node.js (the streams' description).
set -eu
missing=""
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
locale -a 2>/dev/null | grep -qi '^vi_VN\.utf-\{0,1\}8$' || missing="$missing locales"
command -v java >/dev/null || missing="$missing default-jre-headless"
command -v mvn >/dev/null || missing="$missing maven"
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # The tests start servers of their own, so that none of the system's has to run.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    apt-get update -qq
    # shellcheck disable=SC2086 # the list is words on purpose
    DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get install -qq -y --no-install-recommends $missing >/dev/null
    command -v localedef >/dev/null && localedef -i vi_VN -f UTF-8 vi_VN.UTF-8 || true
elif [ -n "${CI:-}" ]; then
    echo "The tests need:$missing. Install them, or run as root where apt-get is." >&2
    exit 2
else
    echo "Left out without:$missing (tests on real servers of other kinds). Install them to run everything." >&2
fi
