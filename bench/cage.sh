#!/bin/sh
# Process 1 of a cage: hides what belongs to the host's cron, starts one daemon, and ends it when standard
# input ends. Called by bench/cage.py in mount and process namespaces of its own:
# cage.sh FOLDER "CONTROL GROUP..." COMMAND...
set -eu
folder=$1
for group in $2; do
    echo 0 >"$group/cgroup.procs"
done
shift 2
for place in /run /var/spool/cron /etc/cron.d; do
    [ ! -d "$place" ] || mount -t tmpfs -o mode=755 bench "$place"
done
for file in /etc/crontab /etc/passwd /etc/group; do
    [ ! -e "$file" ] || mount --bind "$folder/etc/${file#/etc/}" "$file"
done
# A daemon must not write into the host's log. Behind a link into /run there is nothing left already.
[ ! -S /dev/log ] || mount --bind /dev/null /dev/log
# Debian's cron takes a crontab only from this place, only with this mode.
mkdir -p -m 1730 /var/spool/cron/crontabs
cp "$folder/crontab" /var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root

"$@" >"$folder/log" 2>&1 &
daemon=$!
# Nobody ever writes: the read ends when the benchmark closes its end or dies.
read -r _ || :
kill -TERM "$daemon" 2>/dev/null || :
wait "$daemon" 2>/dev/null || :
