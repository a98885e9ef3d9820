#!/bin/sh
# In a pod of its own: reads the log and clears it.
/usr/bin/dmesg -c > /dev/null
exit 0
