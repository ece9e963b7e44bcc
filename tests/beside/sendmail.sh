#!/bin/sh
# Stands in for /usr/sbin/sendmail: a file for each message, with its arguments.
read -r uptime _ </proc/uptime
{
    printf '%s\n' "$uptime" "$(/usr/bin/id -u)" "$@" --message
    /bin/cat
} >"/run/beside/mails/$uptime.$$"
