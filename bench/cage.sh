#!/bin/sh
# Process 1 of a cage: hides what belongs to the host's cron, starts one daemon when it is told to, and
# ends it when standard input ends. Called by bench/cage.py in mount and process namespaces of its own:
# cage.sh FOLDER "CONTROL GROUP..." OWNER PYTHON COMMAND...
set -eu
folder=$1
for group in $2; do
    echo 0 >"$group/cgroup.procs"
done
owner=$3
python=$4
shift 4
# All of /var/spool and /var/mail, not only cron's: a daemon that mails would reach the host through them.
for place in /run /var/spool /var/mail /var/log; do
    [ ! -d "$place" ] || mount -t tmpfs -o mode=755 bench "$place"
done
# Nobody is to mail, since that would be measured as well; whoever tries is found out by the mark it leaves.
if [ -e /usr/sbin/sendmail ]; then
    printf '#!/bin/sh\necho "$*" >>"%s/mailed"\n' "$folder" >"$folder/sendmail"
    chmod 755 "$folder/sendmail"
    mount --bind "$folder/sendmail" "$(readlink -f /usr/sbin/sendmail)"
fi
# All of /etc, since a file mounted over another is gone as soon as somebody outside replaces that one.
mount -t tmpfs -o mode=755 bench "$folder/etc"
# Somebody outside may be making an account, whose files come and go: without those we can do.
cp -a /etc/. "$folder/etc/" || [ -s "$folder/etc/passwd" ]
rm -rf "$folder"/etc/cron.d/* "$folder/etc/crontab"
mkdir -p "$folder/etc/cron.d"
find "$folder/cron.d" -type f -exec cp -t "$folder/etc/cron.d" {} +
chmod -R u=rwX,go=rX "$folder/etc/cron.d"
for file in passwd group shadow; do
    cat "$folder/accounts.$file" >>"$folder/etc/$file"
done
mount --bind "$folder/etc" /etc
# The interpreter's pages are shared with whatever else runs it, the benchmark first of all: PSS would be less.
cp "$python" "$folder/python"
mount --bind "$folder/python" "$python"
# A daemon must not write into the host's log. Behind a link into /run there is nothing left already.
[ ! -S /dev/log ] || mount --bind /dev/null /dev/log
# Debian's cron takes a crontab only from this place, only with this mode.
mkdir -p -m 1730 /var/spool/cron/crontabs
cp "$folder/crontabs/$owner" "/var/spool/cron/crontabs/$owner"
chmod 600 "/var/spool/cron/crontabs/$owner"
chown "$owner:" "/var/spool/cron/crontabs/$owner"

>"$folder/made"
# One line on standard input: now.
read -r _ || exit 0
"$@" >"$folder/log" 2>&1 &
daemon=$!
# There is no second line: this ends when the benchmark closes its end or dies.
read -r _ || :
kill -TERM "$daemon" 2>/dev/null || :
wait "$daemon" 2>/dev/null || :
