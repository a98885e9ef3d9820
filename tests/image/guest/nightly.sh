#!/bin/sh
# In a pod of its own: reads the log and clears it.
/bin/dmesg -c > /dev/null
exit 0
