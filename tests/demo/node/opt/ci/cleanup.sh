#!/bin/sh
rm -rf /tmp/build-*
dmesg -C  # a clean log for the next build
