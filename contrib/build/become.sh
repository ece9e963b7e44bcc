#!/bin/sh
# Compiles the program that becomes a user: contrib/build/become.sh [FLAG...]; CC names the compiler.
# No library and no start files: see the source.
set -eu
cd -- "$(dirname -- "$0")/../../crond/launcher"
# Aside and renamed: a daemon may be executing the present one.
fresh=become.$$
trap 'rm -f "$fresh"' EXIT
# shellcheck disable=SC2086
${CC:-cc} -std=c11 -O2 -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-stack-protector -s "$@" \
    -o "$fresh" become.c
chmod 755 "$fresh"
mv "$fresh" become
