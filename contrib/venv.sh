# shellcheck shell=sh disable=SC2154
# Sourced by ./try and ./check, which set $root. `install_into_venv EXTRA` makes $root/.venv and installs
# crontabx there from this checkout; a second call with nothing changed does nothing.

venv=$root/.venv

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

recent_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of version 3.11 or later"
        return
    fi
    # The system's own first: an interpreter in somebody's home cannot be run by other accounts.
    for PYTHON in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        recent_enough "$PYTHON" && return
    done
    fail "Python 3.11 or later is needed; set PYTHON=/path/to/python3 if it is not on the PATH"
}

make_venv() {
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return
    find_python
    # Debian keeps ensurepip in a package of its own.
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "$PYTHON cannot make virtual environments; on Debian or Ubuntu, as root: apt-get install python3-venv"
        fi
        echo "installing python3-venv ..."
        (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv) </dev/null >/dev/null ||
            fail "apt-get could not install python3-venv"
    fi
    "$PYTHON" -m venv --clear "$venv" || fail "$PYTHON could not make $venv"
}

install_into_venv() {
    # Installing compiles the latter, and an older program refuses what it is told.
    wanted="$root $(cat "$root/pyproject.toml" "$root/crond/launcher/become.c" | cksum)"
    [ "$(cat "$venv/.installed$1" 2>/dev/null)" = "$wanted" ] && return
    make_venv
    echo "installing crontabx$1 into $venv ..."
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -e "$root$1" ||
        fail "pip could not install crontabx$1; the lines above say why"
    printf '%s\n' "$wanted" >"$venv/.installed$1"
}
