#!/bin/sh
dmesg -C
