#!/bin/sh
# Process 1 of a cage, in mount and process namespaces of its own: puts FOLDER's accounts, crontabs, zone and
# log in the place of the host's, starts one daemon and ends when standard input does: cage.sh FOLDER COMMAND...
set -eu
folder=$1
shift
for place in /run /var/spool /var/mail /var/log /var/lib; do
    [ ! -d "$place" ] || mount -t tmpfs -o mode=755 beside "$place"
done
mkdir /run/beside
mount --bind "$folder/shared" /run/beside
# /dev has no log on some hosts, and nothing is to be made in theirs.
mount -t tmpfs -o mode=755 beside "$folder/dev"
for device in null zero full random urandom tty; do
    touch "$folder/dev/$device"
    mount --bind "/dev/$device" "$folder/dev/$device"
done
mkdir "$folder/dev/shm"
# libfaketime has a file for each process in it, named after its number, which is another's in another cage.
mount -t tmpfs -o mode=1777 beside "$folder/dev/shm"
touch "$folder/dev/log"
mount --bind "$folder/log" "$folder/dev/log"
ln -s /proc/self/fd "$folder/dev/fd"
mount --rbind "$folder/dev" /dev
mount -t tmpfs -o mode=755 beside "$folder/etc"
# Somebody outside may be making an account, whose files come and go: without those we can do.
cp -a /etc/. "$folder/etc/" || [ -s "$folder/etc/passwd" ]
rm -rf "$folder"/etc/cron.d "$folder/etc/crontab" "$folder/etc/cron.allow" "$folder/etc/cron.deny"
cp -a "$folder/system/." "$folder/etc/"
for file in passwd group shadow; do
    cat "$folder/accounts.$file" >>"$folder/etc/$file"
done
ln -sf /usr/share/zoneinfo/America/New_York "$folder/etc/localtime"
echo America/New_York >"$folder/etc/timezone"
echo LANG=C.UTF-8 >"$folder/etc/default/locale"
mount --bind "$folder/etc" /etc
if [ -e /usr/sbin/sendmail ]; then
    mount --bind "$folder/shared/sendmail" "$(readlink -f /usr/sbin/sendmail)"
else
    mkdir "$folder/sbin"
    cp "$folder/shared/sendmail" "$folder/sbin/sendmail"
    mount -t overlay -o "lowerdir=$folder/sbin:/usr/sbin" beside /usr/sbin
fi
mkdir -p /var/spool/cron
cp -a "$folder/spool" /var/spool/cron/crontabs
"$@" >"$folder/said" 2>&1 </dev/null &
read -r _ || :
