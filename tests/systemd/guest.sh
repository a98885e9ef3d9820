#!/bin/sh
# What tests/guest/init does where it is process 1: runs /run-command, reports as boot.py expects it, powers off.
eval "$(tr ' ' '\n' < /proc/cmdline | grep '^GUEST_[A-Z]*=[A-Za-z0-9]*$')"
output=/dev/$GUEST_OUTPUT result=/dev/$GUEST_RESULT
uptime() { cut -d' ' -f1 /proc/uptime; }
exec 3> "$result" 4> "$output"
stty -F "$output" raw -echo
stty -F "$result" raw -echo
mkdir -p /out
echo "begin $(uptime)" >&3
/run-command < /dev/null >&4 2>&1 3>&-
echo "end $? $(uptime)" >&3
tar -C /out -cz . >&3
exec 3>&- 4>&- # waits until both have drained
systemctl poweroff -ff
