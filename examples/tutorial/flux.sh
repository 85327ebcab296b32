#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Chapter 4: directives as Flux has them mean the same.
#     hbatch batch flux.sh

#flux: -N 2
#flux: -n 4
#flux: --output=flux.out

hbatch run -N2 -n4 echo hello
