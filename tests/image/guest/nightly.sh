#!/bin/sh
# In a pod of its own: reads the log and clears it.
dmesg -c > /dev/null
exit 0
